"""Prints a Bicep or a YAML file, read from standard input, as JSON: parse.py bicep|yaml"""

import json
import sys

text = sys.stdin.read()
if sys.argv[1] == "bicep":
    from pycep import BicepParser

    parsed = BicepParser().parse(text=text)
else:
    from ruamel.yaml import YAML

    parsed = YAML(typ="safe", pure=True).load(text)
json.dump(parsed, sys.stdout, default=str)
