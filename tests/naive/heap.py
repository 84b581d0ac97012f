"""A queue that is sorted anew for every pop: slow, obvious code that referees the heap."""


def naive_pops(operations):
    """What a queue gives out: a number is put in, None takes the smallest out."""
    queue: list[int] = []
    out: list[int] = []
    for operation in operations:
        if operation is None:
            queue.sort()
            out += [queue.pop(0)] if queue else []
        else:
            queue.append(operation)
    return out
