"""A process's memory, as Linux tells it."""

from pathlib import Path


def peak_mib(pid: int | str = "self") -> float:
    """The most that was ever resident (`VmHWM`), or since `forget_peak`.

    Unlike `ru_maxrss`, with which a child begins where its parent was.
    """
    return _status_mib(pid, "VmHWM")


def resident_mib(pid: int | str = "self") -> float:
    """What is resident now (`VmRSS`)."""
    return _status_mib(pid, "VmRSS")


def forget_peak(pid: int) -> None:
    """Let the peak begin anew from what is resident now (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_mib(pid: int | str, field: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024
