"""What `pip install .` calls: scikit-build-core, after a look at the distribution's packages.

Without the libraries CMake would end with a page about the first that it misses. This ends with the one line to run.
"""
import pathlib
import subprocess
import sys
import sysconfig

from scikit_build_core import build
from scikit_build_core.build import *  # every other step is scikit-build-core's

ROOT = pathlib.Path(__file__).parents[1]


def require_packages():
    """Stops, saying what to install, if this is Debian or Ubuntu and a package is missing."""
    command = [str(ROOT / "tools/install_packages.sh"), "--print", "python"]
    if not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file():
        command.append("python%d.%d-dev" % sys.version_info[:2])
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        sys.exit("spanforge needs packages of the distribution. As root run:\n\n  " + found.stdout.strip() +
                 "\n\nand then pip again.")


def get_requires_for_build_wheel(config_settings=None):
    require_packages()
    return build.get_requires_for_build_wheel(config_settings)


def get_requires_for_build_editable(config_settings=None):
    require_packages()
    return build.get_requires_for_build_editable(config_settings)
