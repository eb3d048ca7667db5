#!/usr/bin/env python3
"""Prints template.yaml as CloudFormation gets it: expanded by SAM's translator, as `sam validate` does."""

import os
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.lib.translate.sam_template_validator import SamTemplateValidator  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402


class NoPolicies:
    """The managed policies' ARNs, for which the translator would ask IAM, and which the template doesn't name."""

    def load(self):
        return {}


def expanded():
    template = yaml_parse((Path(__file__).resolve().parent.parent / "template.yaml").read_text())
    return SamTemplateValidator(template, NoPolicies()).get_translated_template_if_valid()


if __name__ == "__main__":
    print(expanded())
