"""Compares types.txt, read from standard input, with the models in Microsoft's packages for Python: models.py FOLDER

Prints as JSON how many properties of each type it compared, and what differs. It reads the source of the packages, so it needs
none of their dependencies. A package may have an older API version than the Bicep files, which knows fewer values."""

import ast
import json
import pathlib
import re
import sys

# For each resource type, the folder of its package in azure/mgmt, the API version there, and the name of its model.
MODELS = {
    "Microsoft.Authorization/policyAssignments": ("resource/policy", "2026-06-01", "PolicyAssignment"),
    "Microsoft.Authorization/roleAssignments": ("authorization/v2022_04_01", "2022-04-01", "RoleAssignmentCreateParameters"),
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands": (
        "compute/v2024_07_01",
        "2024-07-01",
        "VirtualMachineRunCommand",
    ),
    "Microsoft.Compute/virtualMachines": ("compute/v2024_07_01", "2024-07-01", "VirtualMachine"),
    "Microsoft.Compute/virtualMachines/extensions": ("compute/v2024_07_01", "2024-07-01", "VirtualMachineExtension"),
    "Microsoft.Compute/virtualMachines/runCommands": ("compute/v2024_07_01", "2024-07-01", "VirtualMachineRunCommand"),
    "Microsoft.Insights/dataCollectionEndpoints": (
        "monitor/v2022_06_01",
        "2022-06-01",
        "DataCollectionEndpointResource",
    ),
    "Microsoft.Insights/dataCollectionRuleAssociations": (
        "monitor/v2022_06_01",
        "2022-06-01",
        "DataCollectionRuleAssociationProxyOnlyResource",
    ),
    "Microsoft.Insights/dataCollectionRules": ("monitor/v2022_06_01", "2022-06-01", "DataCollectionRuleResource"),
    "Microsoft.Insights/scheduledQueryRules": (
        "monitor/v2022_08_01_preview",
        "2022-08-01-preview",
        "ScheduledQueryRuleResource",
    ),
    "Microsoft.Insights/workbooks": ("applicationinsights/v2023_06_01", "2023-06-01", "Workbook"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("msi/v2023_01_31", "2023-01-31", "Identity"),
    "Microsoft.Network/networkInterfaces": ("network", "2024-07-01", "NetworkInterface"),
    "Microsoft.Network/networkSecurityGroups": ("network", "2024-07-01", "NetworkSecurityGroup"),
    "Microsoft.Network/publicIPAddresses": ("network", "2024-07-01", "PublicIPAddress"),
    "Microsoft.Network/virtualNetworks": ("network", "2024-07-01", "VirtualNetwork"),
    "Microsoft.OperationalInsights/workspaces": ("loganalytics", "2025-07-01", "Workspace"),
    "Microsoft.OperationalInsights/workspaces/savedSearches": ("loganalytics", "2025-07-01", "SavedSearch"),
    "Microsoft.OperationalInsights/workspaces/tables": ("loganalytics", "2025-07-01", "Table"),
}


def keyword(call, name):
    return next((item.value for item in call.keywords if item.arg == name), None)


class Models:
    """The models and enumerations of one package: the properties of each by their names on the wire."""

    def __init__(self, folder):
        models = folder / "models"
        self.enums, self.classes = {}, {}
        for file in models.glob("*enums.py"):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    values = [line.value.value for line in node.body if isinstance(line, ast.Assign)]
                    self.enums[node.name] = values
        for file in [*models.glob("_models_py3.py"), *models.glob("_models.py")]:
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    self.classes[node.name] = self.properties(node)

    def properties(self, node):
        """The base classes, and for each property its path, whether it is required, and its type as text."""
        bases = [ast.unparse(base).split(".")[-1] for base in node.bases]
        found, validation, hints = [], {}, {}
        for line in node.body:
            if isinstance(line, ast.FunctionDef) and line.name == "__init__":
                hints = hints or {arg.arg: ast.unparse(arg.annotation) for arg in line.args.kwonlyargs if arg.annotation}
            if isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") == "_validation":
                validation = ast.literal_eval(line.value)
        for line in node.body:
            if isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") == "_attribute_map":
                for name, entry in ast.literal_eval(line.value).items():
                    path = [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", entry["key"])]
                    kind = entry["type"]
                    enum = re.search(r"Union\[str, .*?(\w+)['\"]?\]", hints.get(name, ""))
                    if enum:
                        kind = kind.replace("str", enum[1])
                    found.append((path, validation.get(name, {}).get("required", False), kind))
            elif isinstance(line, ast.AnnAssign) and isinstance(line.value, ast.Call) and "rest_" in ast.unparse(line.value.func):
                name = keyword(line.value, "name")
                hint = ast.unparse(line.annotation)
                required = not hint.startswith("Optional[")
                kind = re.sub(r"Optional\[(.*)\]$", r"\1", hint)
                kind = re.sub(r"Union\[str, (.*?)\]", r"\1", kind)
                kind = re.sub(r"[Ll]ist\[(.*)\]$", r"[\1]", kind)
                kind = re.sub(r"[Dd]ict\[str, (.*)\]$", r"{\1}", kind)
                kind = re.sub(r"['\"]|_models\.", "", kind)
                found.append(([name.value if name else line.target.id], required, kind))
        return bases, found

    def all(self, name):
        bases, found = self.classes.get(name, ([], []))
        return found + [entry for base in bases for entry in self.all(base)]

    def find(self, name, parts):
        """Whether the property at this path is required, and its type; None if there is no such property."""
        for path, required, kind in self.all(name):
            if parts[: len(path)] == path:
                rest = parts[len(path) :]
                while rest and rest[0] in ("[]", "*"):
                    if not kind.startswith("[" if rest[0] == "[]" else "{"):
                        return None
                    kind, rest = kind[1:-1], rest[1:]
                if not rest:
                    return required, kind
                return (required, "any") if kind in ("object", "JSON", "Any") else self.find(kind, rest)
        return None


KINDS = {"str": "string", "int": "int", "float": "int", "bool": "bool", "duration": "string", "object": "any", "JSON": "any", "Any": "any"}


def difference(models, root, path, kind, same_version):
    """How the models contradict this line of types.txt, or None."""
    required = path.endswith("!")
    parts = re.findall(r"\[\]|[^.\[\]]+", path.rstrip("!"))
    found = models.find(root, parts)
    if found is None:
        # The old packages have no model for "properties" itself.
        return None if kind == "object" else "there is no such property"
    if kind == "object":
        return None
    # Where a package flattens its models, they do not say what is required.
    if found[0] and not required:
        return "it is required"
    if found[1] in models.enums:
        allowed = set(models.enums[found[1]])
        fits = kind == "string" or set(kind.split("|")) <= allowed or not same_version
        return None if fits else f"allowed: {sorted(allowed)}"
    of = KINDS.get(found[1], found[1])
    return None if of in (kind, "any") or (of == "string" and "|" in kind) else f"type: {of}"


def main():
    folder = pathlib.Path(sys.argv[1]) / "azure" / "mgmt"
    compared, problems, current = {}, [], None
    for line in sys.stdin.read().splitlines():
        if not line.startswith(" "):
            name, _, version = line.partition("@")
            place = MODELS.get(name)
            current = place and (Models(folder / place[0]), place[2])
        elif current:
            path, kind = line.strip().split(" ", 1)
            # The name is not part of a model, but of the address.
            if path != "name!":
                problem = difference(*current, path, kind, version == place[1])
                compared[name] = compared.get(name, 0) + 1
                if problem:
                    problems.append(f"{name}: {path}: {problem}")
    json.dump({"compared": compared, "problems": problems}, sys.stdout)


main()
