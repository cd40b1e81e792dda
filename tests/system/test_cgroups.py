"""What control groups leave of the memory, from files as the kernel shows them."""

import pytest

from deeptheory.system import cgroups, memory


@pytest.fixture
def groups(tmp_path):
    """Write /proc/self/cgroup and the files of groups below a root."""

    def make(lines, files):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(lines)
        for name, text in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make


def test_version_2_counts_the_tightest_group_above(groups):
    root = groups(
        "0::/slurm/job_7/step_0\n",
        {
            "slurm/job_7/step_0/memory.max": "max\n",
            "slurm/job_7/step_0/memory.current": "300\n",
            "slurm/job_7/memory.max": "1000\n",
            "slurm/job_7/memory.current": "600\n",
            "slurm/job_7/memory.stat": "anon 450\nfile 150\ninactive_file 100\n",
            "slurm/memory.max": "5000\n",
            "slurm/memory.current": "700\n",
        },
    )
    assert cgroups.memory_left(root) == 1000 - (600 - 100)


def test_version_1_beside_an_empty_version_2(groups):
    root = groups(
        "11:cpu,cpuacct:/\n9:memory:/slurm/uid_0/job_7\n0::/\n",
        {
            "memory/slurm/uid_0/job_7/memory.limit_in_bytes": "2000\n",
            "memory/slurm/uid_0/job_7/memory.usage_in_bytes": "1500\n",
            "memory/slurm/uid_0/job_7/memory.stat": "inactive_file 1\ntotal_inactive_file 250\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",  # as the kernel says "none"
            "memory/memory.usage_in_bytes": "9000\n",
        },
    )
    assert cgroups.memory_left(root) == 2000 - (1500 - 250)


def test_in_a_container_the_root_is_all_that_is_seen(groups):
    files = {"memory.max": "4096\n", "memory.current": "5000\n"}
    assert cgroups.memory_left(groups("0::/host/container\n", files)) == 0


@pytest.mark.parametrize("lines", ["0::/\n", "4:cpu:/\n", ""])
def test_without_a_limit(groups, lines):
    assert cgroups.memory_left(groups(lines, {})) is None


def test_without_control_groups(tmp_path):
    assert cgroups.memory_left(tmp_path) is None


def test_free_memory_is_the_smaller_of_system_and_groups(monkeypatch):
    available = memory.free_memory()
    assert available is not None
    monkeypatch.setattr(cgroups, "memory_left", lambda: 1_000_000)
    assert memory.free_memory() == 1_000_000
    monkeypatch.setattr(cgroups, "memory_left", lambda: 10**18)
    assert 1_000_000 < memory.free_memory() < 10**18
