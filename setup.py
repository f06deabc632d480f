"""What setup.cfg cannot say; all that is known about the package stands there.

What an earlier build left in build/ is not shipped: scripts are found by being there, so one that is gone
must not come back. Modes are 755 and 644, whatever the umask of the checkout, and with SOURCE_DATE_EPOCH (in
seconds) the same files give the same bytes.
"""

import gzip
import os
import shutil
import tarfile
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist


class FreshBuild(build_py):
    """Modules, scripts and data, as they are in this tree."""

    def run(self):
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib, "orkestra_shim"), ignore_errors=True)
        super().run()
        for name in [] if self.editable_mode else self.get_outputs(include_bytecode=False):
            path = Path(name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


class PlainWheel(bdist_wheel):
    """What is said of the package has the same modes."""

    def egg2dist(self, egginfo_path, distinfo_path):
        super().egg2dist(egginfo_path, distinfo_path)
        for path in Path(distinfo_path).rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)


class SameArchive(sdist):
    """A .tar.gz whose members belong to nobody and stand in one order."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        if format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)
        name = f"{base_name}.tar.gz"
        epoch = os.environ.get("SOURCE_DATE_EPOCH")

        def plain(member):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.mtime = int(epoch) if epoch else int(member.mtime)
            return member

        with (
            open(name, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch) if epoch else None) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=plain)  # in the order of the names
        return name


setup(cmdclass={"build_py": FreshBuild, "bdist_wheel": PlainWheel, "sdist": SameArchive})
