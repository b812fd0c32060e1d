"Packaging: everything that varies is read from settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="], interpolation=None)
config.read(here / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]

pythons = [f"3.{minor}" for minor in range(int(cfg["min_python"].split(".")[1]), 15)]
needs = {key.removesuffix("_requirements"): cfg[key].split() for key in cfg if key.endswith("_requirements")}
parts = {name: needs[name] for name in ("speech", "curation", "widgets", "datasets")}
pages = sum(parts.values(), []) + needs["pages"]
course = pages + needs["course"]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    url=cfg["git_url"],
    project_urls={
        "Documentation": cfg["doc_host"] + "/" + cfg["repo"],
        "Source": cfg["git_url"],
        "Issues": cfg["git_url"] + "/issues",
        "Changelog": f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md",
    },
    author=cfg["author"],
    keywords=cfg["keywords"].split(),
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Education",
        "Natural Language :: English",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
        *(f"Programming Language :: Python :: {version}" for version in pythons),
    ],
    packages=find_packages(include=["beyondtext", "beyondtext.*"]),
    package_data={"beyondtext": ["py.typed", "*.pyi", "results/*.csv"]},
    entry_points={"nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"]},  # where the site's links of names in backticks lead
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require={**parts, "pages": pages, "course": course, "dev": course + needs["dev"]},
    zip_safe=False,
)
