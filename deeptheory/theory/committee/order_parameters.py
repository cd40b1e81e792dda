"""Order parameters of a student and its teacher: the overlaps of their weight vectors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deeptheory.theory.committee.averages import checked_covariance, pair_means


@dataclass(frozen=True, eq=False)
class OrderParameters:
    r"""Overlaps of K student vectors J_i and M teacher vectors B_n over N inputs.

    .. math:: Q_{ik} = J_i \cdot J_k, \qquad R_{in} = J_i \cdot B_n, \qquad T_{nm} = B_n \cdot B_m

    The student's output is :math:`\sum_i g(J_i \cdot \xi)` with g(x) = erf(x / sqrt 2), the teacher's
    :math:`\sum_n g(B_n \cdot \xi)`; components of the input xi are independent, of mean 0 and variance 1.

    Parameters
    ----------
    Q : array_like (K, K)
    R : array_like (K, M)
    T : array_like (M, M)

    Raises
    ------
    ValueError
        If shapes do not fit, there is no student or teacher unit, or the joint covariance [[Q, R], [R^T, T]]
        of the fields is not finite, symmetric and positive semi-definite.
    """

    Q: NDArray[np.float64]
    R: NDArray[np.float64]
    T: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("Q", "R", "T"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))
        shape = self.R.shape
        if len(shape) != 2 or 0 in shape or self.Q.shape != shape[:1] * 2 or self.T.shape != shape[1:] * 2:
            raise ValueError(
                "Q must be (K, K), R (K, M) and T (M, M) with K and M at least 1, "
                f"found {self.Q.shape}, {shape} and {self.T.shape}"
            )
        checked_covariance(self.covariance, sum(shape))

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance (K + M, K + M) of the local fields, students first."""
        return joint_covariance(self.Q, self.R, self.T)

    @property
    def n_students(self) -> int:
        """Number K of student units."""
        return len(self.R)

    @property
    def n_teachers(self) -> int:
        """Number M of teacher units."""
        return int(self.R.shape[1])


def overlaps(student: NDArray[np.floating], teacher: NDArray[np.floating]) -> OrderParameters:
    """Order parameters of weight vectors, student (K, N) and teacher (M, N)."""
    return OrderParameters(student @ student.T, student @ teacher.T, teacher @ teacher.T)


def generalisation_error(parameters: OrderParameters) -> float:
    r"""Half the mean squared difference between the outputs of student and teacher on new inputs.

    .. math:: \epsilon_g = \frac12 \Bigl[\sum_{ik} I_2(i, k) + \sum_{nm} I_2(n, m)
              - 2 \sum_{in} I_2(i, n)\Bigr]

    Status: exact for Gaussian inputs at any N, for other independent inputs as N to infinity. Source: Saad
    and Solla, Phys. Rev. Lett. 74, 4337 (1995).

    Returns
    -------
    float
        A squared error of real outputs without noise, not an error rate.
    """
    return float(error_with_signs(parameters.covariance, output_signs(*parameters.R.shape)))


def output_signs(n_students: int, n_teachers: int) -> NDArray[np.float64]:
    """Sign of every field in teacher output minus student output: -1 for students, +1 for teachers."""
    return np.concatenate([-np.ones(n_students), np.ones(n_teachers)])


def error_with_signs(covariance: NDArray[np.float64], signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the mean square of sum_a signs_a g(field_a); a sign of 0 leaves the field out.

    Covariances are (..., L, L), signs (..., L); leading axes are broadcast.
    """
    mean_square: NDArray[np.float64] = np.einsum("...a,...ab,...b->...", signs, pair_means(covariance), signs)
    return 0.5 * mean_square


def joint_covariance(Q: ArrayLike, R: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
    """[[Q, R], [R^T, T]] with leading axes kept; T (M, M) may lack them."""
    overlap = np.asarray(R)
    teachers = np.broadcast_to(T, (*overlap.shape[:-2], *np.shape(T)[-2:]))
    upper = np.concatenate([Q, overlap], axis=-1)
    lower = np.concatenate([np.swapaxes(overlap, -1, -2), teachers], axis=-1)
    return np.concatenate([upper, lower], axis=-2)
