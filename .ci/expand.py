#!/usr/bin/env python3
"""Prints template.yaml as CloudFormation gets it in a region: expanded by SAM's translator, as `sam validate` does.

    python .ci/expand.py [REGION [--managed]]

With --managed, as docs/operating.md changes it for Lambda Managed Instances.
"""

import os
import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"

if __name__ == "__main__":
    # The translator reads it when it is imported.
    os.environ["AWS_DEFAULT_REGION"] = sys.argv[1] if len(sys.argv) > 1 else "us-east-1"

from samcli.lib.translate.sam_template_validator import SamTemplateValidator  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402


class ManagedPolicies:
    """The ARNs of AWS's managed policies, for which the translator would ask IAM. The template needs none of them."""

    def load(self):
        return {}


def manage(function):
    """Puts a function on managed instances."""
    steps = (TEMPLATE.parent / "docs" / "operating.md").read_text()
    [lines] = re.findall(r"^ +```yaml\n( +CapacityProviderConfig:\n.*?)^ +```$", steps, flags=re.DOTALL | re.MULTILINE)
    function["Properties"] |= yaml_parse(lines)
    function["UpdateReplacePolicy"] = "Delete"


def expand(parameters=None, code=None, managed=False):
    """The expanded template; `code` is where the function's archive is in S3."""
    template = yaml_parse(TEMPLATE.read_text())
    if managed:
        manage(template["Resources"]["PutImageFunction"])
    if code:
        template["Resources"]["PutImageFunction"]["Properties"]["CodeUri"] = code
    validator = SamTemplateValidator(template, ManagedPolicies(), parameter_overrides=parameters)
    return validator.get_translated_template_if_valid()


if __name__ == "__main__":
    print(expand(managed="--managed" in sys.argv))
