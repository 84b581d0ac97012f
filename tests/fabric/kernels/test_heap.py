"""The heap that kernels share."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fabric._kernels.heap import sift_down, sift_up
from tests.naive.heap import naive_pops


@pytest.mark.kernels
@settings(deadline=None, max_examples=100)
@given(st.lists(st.none() | st.integers(0, 9), max_size=40))
def test_the_smallest_comes_first(operations):
    key, item, size, out = np.empty(40), np.empty(40, np.int32), 0, []
    for operation in operations:
        if operation is not None:
            key[size], item[size] = operation, 10 * operation
            sift_up(key, item, size)
            size += 1
        elif size > 0:
            assert item[0] == 10 * key[0]
            out.append(int(key[0]))
            size -= 1
            key[0], item[0] = key[size], item[size]
            if size > 0:
                sift_down(key, item, size)
    assert out == naive_pops(operations)
