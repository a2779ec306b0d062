"""Every error a user can meet. Each message says what is wrong, where, and what to type next."""

from collections.abc import Sequence
from typing import ClassVar


class VisdiffError(Exception):
    """Base of all errors of this package; the command line turns it into its ``exit_code``."""

    exit_code: ClassVar[int] = 2


class UsageError(VisdiffError):
    """The command, its options or a configuration file cannot be used as given."""


class InputError(VisdiffError):
    """The images, tables or labels cannot be used as given."""


class UnreadableImageError(InputError):
    """These bytes cannot be used as an image; ``reason`` in a few words."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ProblemsError(UsageError):
    """Several things are wrong with one file or configuration; all are reported together."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{where}: " + "; ".join(self.problems))


class OutputError(VisdiffError):
    """Stdout or stderr cannot be written: a full disk, a closed terminal."""


class ReaderGoneError(OutputError):
    """Whoever read our output has gone, as in ``… | head``: no error, and nothing is said."""

    exit_code = 0


class WeightsError(VisdiffError):
    """Weights are missing, incomplete or not the ones that models.toml names."""

    exit_code = 3


class SelfTestError(WeightsError):
    """A model opened, but does not do what its kind must do (a lost image, a wrong processor …)."""


class MissingDependencyError(WeightsError):
    """A library that this backend needs is not installed; the message holds the install command."""


class OutOfMemoryError(VisdiffError):
    """Out of memory after every fallback."""

    exit_code = 4


class LateError(VisdiffError):
    """It took longer than whoever waits for it may wait, and was ended."""


class StoreError(VisdiffError):
    """The store cannot be read or written."""


class NetworkAttemptError(VisdiffError):
    """Something tried to reach beyond this machine. Always a defect: the attempt was refused."""

    exit_code = 3
