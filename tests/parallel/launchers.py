"""Environments of ranks that tests and measurements start. Python's standard library only."""
import os

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMPI_", "PMI", "SLURM_", "TORCHELASTIC_", "MASTER_")


def clean_environment(**more):
    """This process's environment without what a launcher may have set in it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(NAMES)}
    return {**env, "GOMP_SPINCOUNT": "0", **more}


def rank_environment(rank, count, **more):
    return clean_environment(RANK=str(rank), WORLD_SIZE=str(count), **more)
