"""What measurements say of a prediction: by which factors its latency and its bandwidth are off."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from collectives.demand import FloatVector
from collectives.errors import InputError
from fabric.timing.protocols import TimeModel

Predict = Callable[[TimeModel], FloatVector]
# A parameter that moves no prediction by more than this when it is doubled is not in the measurements.
# Assumed: what repeated measurements differ by.
_FELT = 0.05


@dataclass(frozen=True)
class Fit:
    """Factors that bring predictions closest to measurements.

    Attributes
    ----------
    latency_factor, bandwidth_factor : float or None
        For `TimeModel`; None where the measured sizes do not show it (all large, all small, only one).
    zero_size_s : float
        Time of no bytes, with the factor.
    ratios : (n,) float64
        Fitted over measured time.
    """

    latency_factor: float | None
    bandwidth_factor: float | None
    zero_size_s: float
    ratios: FloatVector


def fit(times_s: FloatVector, predict: Predict, zero_size: Predict, model: TimeModel) -> Fit:
    """Least absolute logarithms of predicted over measured times.

    Every size counts the same, and a few odd measurements do not move the answer.

    Parameters
    ----------
    times_s : (n,) float64
        Measured, > 0.
    predict : callable
        Predicted times of the measured sizes under a model, (n,) float64: the fastest algorithm and protocol.
    zero_size : callable
        The same for no bytes, (1,) float64.
    model : TimeModel
        Where to start; its own factors are multiplied.

    Raises
    ------
    InputError
        If there is no measurement.
    """
    from scipy.optimize import minimize

    if times_s.size == 0:
        raise InputError("fit: expected at least one measurement with a size and a time above 0")
    start = predict(model)
    # One measurement cannot tell two factors apart.
    felt = [
        times_s.size > 1 and bool(np.any(np.abs(predict(_scaled(model, *factors)) / start - 1.0) > _FELT))
        for factors in ((2.0, 1.0), (1.0, 2.0))
    ]
    free = np.flatnonzero(felt)

    def factors_of(logs: FloatVector) -> tuple[float, float]:
        whole = np.zeros(2)
        whole[free] = logs
        return float(np.exp(whole[0])), float(np.exp(whole[1]))

    def error(logs: FloatVector) -> float:
        off = np.log(predict(_scaled(model, *factors_of(logs))) / times_s)
        return float(np.abs(off).sum())

    # A good start: tables go from small to large, the first size shows the latency and the last the bandwidth.
    first = np.array([-np.log(start[0] / times_s[0]), np.log(start[-1] / times_s[-1])])[free]
    options = {"xatol": 1e-6, "fatol": 1e-10, "maxiter": 2000}
    found = minimize(error, first, method="Nelder-Mead", options=options).x if free.size else np.empty(0)
    latency, bandwidth = factors_of(found)
    best = _scaled(model, latency, bandwidth)
    return Fit(
        latency if felt[0] else None,
        bandwidth if felt[1] else None,
        float(zero_size(best)[0]),
        predict(best) / times_s,
    )


def _scaled(model: TimeModel, latency: float, bandwidth: float) -> TimeModel:
    return replace(
        model,
        latency_factor=model.latency_factor * latency,
        bandwidth_factor=model.bandwidth_factor * bandwidth,
    )
