#!/usr/bin/env python3
"""The life of the template's stack on a moto_server: created, a parameter changed, one more version, back, removed.

    .ci/with-moto python .ci/stack.py [--no-cargo]

`sam deploy` needs an account. Here SAM's translator expands the template as the service does, and moto's CloudFormation
resolves every property and makes the types that it knows; what a later step needs of the others is made by the
services' own APIs. Without --no-cargo, the put test and the `admin` command then run on these tables, this bucket and
this usage plan. What checkov sees to is left to it, and what callers see to tests/api.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile

ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "ci"
FIRST, SECOND = "0123456789ab", "abcdef012345"
# For boto3, for SAM's translator, which reads the region when it is imported, and for what cargo runs.
os.environ.update(
    AWS_ENDPOINT_URL=os.environ["TEST_DYNAMODB_ENDPOINT"], AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION,
    AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local-secret",
)

import boto3  # noqa: E402
from expand import TEMPLATE, expand  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402

apigateway, cloudformation, cloudwatch, dynamodb, lambda_, s3, sns = map(
    boto3.client, "apigateway cloudformation cloudwatch dynamodb lambda s3 sns".split()
)
ALARMS = ["DurationAlarm", "FailuresAlarm", "LeftoversAlarm", "RefusalsAlarm", "ThrottlesAlarm"]
# What another resource gets that refers to one of these, which moto doesn't make; NAME is its logical ID.
STAND_INS = {
    "AWS::ApiGateway::Stage": "v3",
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:NAME",
    "AWS::CodeDeploy::Application": "NAME",
    "AWS::CodeDeploy::DeploymentGroup": "NAME",
    "AWS::Lambda::Alias": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:${{PutImageFunction}}:live",
    # moto's API takes no definition, so it has no method, and moto refuses to deploy it.
    "AWS::ApiGateway::Deployment": "NAME",
    # The permission is for the alias, which moto's function doesn't have.
    "AWS::Lambda::Permission": "NAME",
    # It makes this one, but doesn't know its number.
    "AWS::Lambda::Version": "1",
}
differ = 0


def check(what, found, expected):
    global differ
    print("ok     " if found == expected else "DIFFERS", what, flush=True)
    if found != expected:
        differ += 1
        print(f"        is        {found}\n        should be {expected}", flush=True)


class Release:
    """The template of a commit, packaged and expanded, as a deployment of it gives it to CloudFormation."""

    def __init__(self, commit):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("bootstrap", commit * (1 + (commit == SECOND)))
        self.commit, self.code = commit, archive.getvalue()
        s3.put_object(Bucket="code", Key=commit, Body=self.code)

    def expanded(self, parameters):
        return yaml_parse(expand(parameters, f"s3://code/{self.commit}"))

    def deploy(self, stack=STACK, **parameters):
        """Creates or updates a stack. Returns its physical IDs, resolved properties and outputs."""
        parameters = {"Commit": self.commit, **parameters}
        template = self.expanded(parameters)
        text = json.dumps(template)
        for name, resource in template["Resources"].items():
            if stand_in := STAND_INS.get(resource["Type"], "").replace("NAME", name):
                for reference in ({"Ref": name}, {"Fn::GetAtt": [name, "Arn"]}, {"Fn::GetAtt": [name, "Version"]}):
                    text = text.replace(json.dumps(reference), json.dumps({"Fn::Sub": stand_in}))
                text = text.replace(f"${{{name}}}", stand_in).replace(f"${{{name}.Arn}}", stand_in)
        # moto knows no other policy that keeps a resource.
        body = json.loads(text.replace("RetainExceptOnCreate", "Retain"))
        for name, resource in body["Resources"].items():
            body["Outputs"][f"{name}Properties"] = {"Value": {"Fn::ToJsonString": resource["Properties"]}}
            if resource["Type"] in STAND_INS and resource["Type"] != "AWS::Lambda::Version":
                body["Resources"][name] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
        exists = [it for it in cloudformation.describe_stacks()["Stacks"] if it["StackName"] == stack]
        (cloudformation.update_stack if exists else cloudformation.create_stack)(
            StackName=stack, TemplateBody=json.dumps(body),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
        (made,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        resolved = {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
        resources = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        properties = {name: json.loads(resolved[f"{name}Properties"]) for name in template["Resources"]}
        return ids, properties, {name: resolved.get(name) for name in template["Outputs"]}


def needs(template, name, seen=()):
    """The resources that CloudFormation makes, or changes, before this one."""
    resource = template["Resources"][name]
    text = json.dumps({key: value for key, value in resource.items() if key != "UpdatePolicy"})
    named = set(re.findall(r'"(\w+)"|\$\{(\w+)', text))
    direct = {word for pair in named for word in pair if word in template["Resources"]} - {name, *seen}
    return direct.union(*(needs(template, other, (name, *seen)) for other in direct))


def expansion(template):
    resources = template["Resources"]
    types = {}
    for name, resource in resources.items():
        types.setdefault(resource["Type"], []).append(name)
    (deployment,) = types["AWS::ApiGateway::Deployment"]
    check("expanded: one stage, and none that SAM adds", [
        resources[name]["Properties"]["StageName"] for name in types["AWS::ApiGateway::Stage"]
    ] + [resources[deployment]["Properties"].get("StageName")], ["v3", None])
    for name in ("ProjectsTable", "SubmissionsTable", "ImagesBucket"):
        check(f"expanded: the role may use the key before {name}", "PutImageRole" in needs(template, name), True)
    check("expanded: the role needs nothing else", needs(template, "PutImageRole"), set())
    check("expanded: the function may do it all before", "PutImagePolicy" in needs(template, "PutImageFunction"), True)
    fixed = {"TableName", "BucketName", "RoleName", "AlarmName", "FunctionName", "LogGroupName", "UsagePlanName"}
    fixed = [name for name, it in resources.items() for key in it.get("Properties", {}) if key in fixed]
    check("expanded: no name is fixed", [name for name in fixed if "PutImageFunction" not in name], [])
    kept = {name for name, it in resources.items() if it.get("DeletionPolicy", "Delete") != "Delete"}
    check("expanded: what outlives the stack", {re.sub("(?<=Version).*", "", name) for name in kept}, {
        "ImagesBucket", "ImagesBucketPolicy", "ImagesLogBucket", "ImagesLogBucketPolicy", "ProjectsTable",
        "PutImageFunctionVersion", "SubmissionsTable",
    })
    # A rollback of the creation couldn't delete the tables, which are protected.
    policies = [resources[name]["DeletionPolicy"] for name in types["AWS::DynamoDB::Table"]]
    check("expanded: a rollback leaves the tables", policies, ["Retain", "Retain"])
    (version,) = types["AWS::Lambda::Version"]

    def parameters(name):
        text = json.dumps(resources[name]["Properties"])
        return set(re.findall(r'(?:"Ref": "|\$\{)(\w+)', text)) & set(template["Parameters"])

    # A reservation is the function's, not the version's.
    frozen = parameters("PutImageFunction") - parameters(version)
    check("expanded: another version for each parameter", frozen, {"ReservedConcurrency"})


def created(ids, properties, outputs):
    function, role = properties["PutImageFunction"], ids["PutImageRole"]
    names = dict(PROJECTS_TABLE="ProjectsTable", SUBMISSIONS_TABLE="SubmissionsTable", IMAGES_BUCKET="ImagesBucket")
    variables = lambda_.get_function_configuration(FunctionName=ids["PutImageFunction"])["Environment"]["Variables"]
    named = {variable: ids[name] for variable, name in names.items()} | {"METRICS_NAMESPACE": "PutImage"}
    check("function: environment", variables, named)
    # The template declares endpoints, without a value, for `sam local`.
    check("function: no endpoints", function["Environment"]["Variables"], named)
    check("function: role", function["Role"], f"arn:aws:iam::{ACCOUNT}:role/{role}")
    check("function: policy of its role", properties["PutImagePolicy"]["Roles"], [role])
    table, bucket = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/", f"arn:aws:s3:::{ids['ImagesBucket']}"
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{ids['LogGroup']}"
    allowed = properties["PutImagePolicy"]["PolicyDocument"]["Statement"]
    check("function: what it may do", [(s["Effect"], s["Action"], s["Resource"]) for s in allowed], [
        ("Allow", "dynamodb:Query", f"{table}{ids['ProjectsTable']}/index/*"),
        ("Allow", "dynamodb:GetItem", table + ids["SubmissionsTable"]),
        ("Allow", "dynamodb:UpdateItem", table + ids["SubmissionsTable"]),
        ("Allow", ["s3:PutObject", "s3:DeleteObject", "s3:GetBucketLocation"], [bucket, f"{bucket}/*"]),
        ("Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], log),
        ("Allow", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ])
    for name in ("ImagesBucket", "ImagesLogBucket"):
        policy, arn = properties[f"{name}Policy"], f"arn:aws:s3:::{ids[name]}"
        resources = [s["Resource"] for s in policy["PolicyDocument"]["Statement"]]
        check(f"{name}: its policy", (policy["Bucket"], resources), (ids[name], [[arn, f"{arn}/*"], f"{arn}/*"]))
    rules = {rule["Id"]: rule for rule in properties["ImagesBucket"]["LifecycleConfiguration"]["Rules"]}
    unfinished = rules["AbortMultipartUploads"]["AbortIncompleteMultipartUpload"]
    check("ImagesBucket: unfinished uploads", unfinished, {"DaysAfterInitiation": 1})
    stream = dynamodb.describe_table(TableName=ids["SubmissionsTable"])["Table"]
    check("stream: keys alone", stream["StreamSpecification"]["StreamViewType"], "KEYS_ONLY")
    check("stream: output", outputs["SubmissionsStream"], stream["LatestStreamArn"])
    (stage,) = (it for it in properties.values() if "AccessLogSetting" in it)
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    check("API: logs no key", [name for name, value in logged.items() if value == "$context.identity.apiKey"], [])
    check("API: TLS", (properties["Api"]["SecurityPolicy"], properties["Api"]["EndpointAccessMode"]),
          ("SecurityPolicy_TLS13_1_2_2021_06", "STRICT"))
    group = properties["PutImageFunctionDeploymentGroup"]["AlarmConfiguration"]["Alarms"]
    stopping = ["FailuresAlarm", "RefusalsAlarm", "DurationAlarm"]
    check("deployment: alarms", [it["Name"].split(":")[-1] for it in group], stopping)
    check("outputs: version", outputs["Version"].partition(" ")[2], f"({FIRST})")
    # moto doesn't make the usage plan.
    check("outputs: each is there", [name for name, value in outputs.items() if not value], ["UsagePlanId"])


def operation(ids, properties, topic):
    """The alarms and the dashboard: CloudWatch takes them, and what they name is documented."""
    for name in ALARMS:
        cloudwatch.put_metric_alarm(AlarmName=name, **properties[name])
    made = cloudwatch.describe_alarms()["MetricAlarms"]
    check("alarms", sorted(alarm["AlarmName"] for alarm in made), ALARMS)
    check("alarms: where they go", {(*it["AlarmActions"], *it["OKActions"]) for it in made}, {(topic, topic)})
    body = cloudwatch.get_dashboard(DashboardName=STACK)["DashboardBody"]
    widgets = json.loads(body)["widgets"]
    shown = sorted(arn.split(":")[-1] for arn in widgets[0]["properties"]["alarms"])
    check("dashboard: five widgets, the first of all alarms", (len(widgets), shown), (5, ALARMS))
    ours = [stat["Metric"] for alarm in made for part in alarm.get("Metrics", []) if (stat := part.get("MetricStat"))]
    ours = {it["MetricName"] for it in [*ours, *made] if it.get("Namespace") == "PutImage"}
    ours |= set(re.findall(r"\w+Duration|ColdStarts|CleanupFailures|(?<=MetricName=\")\w+", body.replace("\\", "")))
    manual = (TEMPLATE.parent / "docs/operating.md").read_text()
    check("metrics: documented", [name for name in sorted(ours) if f"`{name}`" not in manual], [])
    named = set(re.findall(r"FunctionName(?:\\*\", \\*\"|=\\*\")([\w-]+)", body))
    check("metrics: of this function", named, {ids["PutImageFunction"]})


def usage_plan(properties):
    """moto's CloudFormation doesn't make it. API Gateway's own names begin in lower case."""
    def camel_case(value):
        if isinstance(value, dict):
            return {name[0].lower() + name[1:]: camel_case(value) for name, value in value.items()}
        return [camel_case(value) for value in value] if isinstance(value, list) else value

    return apigateway.create_usage_plan(name=STACK, **camel_case(properties["UsagePlan"]))["id"]


def life(topic):
    first = Release(FIRST)
    expansion(first.expanded({}))
    ids, properties, outputs = first.deploy(AlarmTopicArn=topic)
    created(ids, properties, outputs)
    operation(ids, properties, topic)

    # moto can change a function and a bucket, but neither a table nor a log group: for these, a second stack.
    parameters = {"MemorySize": "1024", "ReplacedImageDays": "7", "RefusedPercent": "20"}
    changed, properties, _ = first.deploy(AlarmTopicArn=topic, **parameters)
    check("a parameter changed: nothing is replaced", changed, ids)
    memory = lambda_.get_function_configuration(FunctionName=ids["PutImageFunction"])["MemorySize"]
    check("a parameter changed: the function's memory", memory, 1024)
    check("a parameter changed: threshold", int(properties["RefusalsAlarm"]["Threshold"]), 20)
    own_parameters(first)

    second = Release(SECOND)
    (one,), (other,) = ([n for n in it.expanded({})["Resources"] if "FunctionVersion" in n] for it in (first, second))
    check("one more version: another resource", one == other, False)

    def deployed(what, release, **parameters):
        # moto publishes a version before it changes the function, so that only $LATEST shows what was deployed.
        ids, properties, outputs = release.deploy(AlarmTopicArn=topic, **parameters)
        size = lambda_.get_function_configuration(FunctionName=ids["PutImageFunction"])["CodeSize"]
        check(f"{what}: code", size, len(release.code))
        check(f"{what}: outputs", outputs["Version"].partition(" ")[2], f"({release.commit})")
        return properties

    deployed("one more version", second)
    properties = deployed("back", first, DeploymentPreference="AllAtOnce")
    return ids, properties


def own_parameters(release):
    """A stack with a key and a reservation of one's own, deployed all at once."""
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/own"
    ids, properties, _ = release.deploy(
        "own", KmsKeyArn=key, ReservedConcurrency="50", LogRetentionDays="30", RecoveryPeriodInDays="7",
        DeploymentPreference="AllAtOnce",
    )
    (statement,) = properties["PutImageRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    check("own key: allowed", statement["Resource"], key)
    for name in ("ProjectsTable", "SubmissionsTable"):
        table = properties[name]
        encryption = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        check(f"own key: {name}", table["SSESpecification"], encryption)
        days = table["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"]
        check(f"recovery of {name}", int(days), 7)
    (rule,) = properties["ImagesBucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    check("own key: ImagesBucket", rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"], key)
    groups = [properties[name] for name in ("LogGroup", "AccessLogGroup")]
    check("own key: logs", [(it["KmsKeyId"], int(it["RetentionInDays"])) for it in groups], [(key, 30)] * 2)
    check("reserved concurrency", int(properties["PutImageFunction"]["ReservedConcurrentExecutions"]), 50)
    check("all at once: no alarm stops it", properties["PutImageFunctionDeploymentGroup"]["AlarmConfiguration"], {})
    remove("own", ids)


def remove(stack, ids):
    cloudformation.delete_stack(StackName=stack)
    tables = dynamodb.list_tables()["TableNames"]
    check("removed: the tables stay", [ids[n] in tables for n in ("ProjectsTable", "SubmissionsTable")], [True, True])
    buckets = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    check("removed: the buckets stay", {ids["ImagesBucket"], ids["ImagesLogBucket"]} <= buckets, True)
    functions = [function["FunctionName"] for function in lambda_.list_functions()["Functions"]]
    check("removed: the function goes", ids["PutImageFunction"] in functions, False)


def put_test(variables):
    """The function puts images, and replaces them, in these tables and this bucket."""
    # One case after the other: each puts its images into the same submission.
    command = ["cargo", "test", "--locked", "--test", "api", "--", "--test-threads=1", "samples::a_whole_request"]
    run = subprocess.run(command, cwd=TEMPLATE.parent, env=os.environ | variables, stdout=subprocess.PIPE, text=True)
    check("put test", re.findall(r"ok\. [1-9]\d* passed", run.stdout), ["ok. 4 passed"])


def admin(plan, ids, variables):
    """A project is registered and its key rotated, and a submission created, by the command that operators use."""
    # All members, as the put test does: cargo then builds nothing twice.
    subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=TEMPLATE.parent, check=True)

    def run(*arguments):
        command = [TEMPLATE.parent / "target/debug/admin", *arguments]
        return subprocess.run(command, env=os.environ | variables, check=True, stdout=subprocess.PIPE, text=True).stdout

    def registered(what, printed):
        key = printed.removesuffix("\n")
        check(f"{what}: prints the key alone", bool(re.fullmatch(r"\S{20,}", key)), True)
        item = dynamodb.get_item(TableName=ids["ProjectsTable"], Key={"projectId": {"S": "acme"}})["Item"]
        check(f"{what}: hash of the key", item["apiKeyHash"], {"S": hashlib.sha256(key.encode()).hexdigest()})
        check(f"{what}: the key is stored nowhere", key in json.dumps(item), False)
        values = {k["id"]: k["value"] for k in apigateway.get_api_keys(includeValues=True)["items"]}
        check(f"{what}: API Gateway's keys", list(values.values()), [key])
        # moto leaves a key that was deleted on its plan.
        on_plan = [k["id"] for k in apigateway.get_usage_plan_keys(usagePlanId=plan)["items"]]
        check(f"{what}: keys on the usage plan", [key for key in on_plan if key in values], list(values))

    created = run("project", "create", "acme", "--admin", "admin@acme.example", "--usage-plan", plan)
    registered("project create", created)
    run("submission", "create", "S-1", "--project", "acme")
    check("submission show", "acme" in run("submission", "show", "S-1"), True)
    rotated = run("project", "key", "rotate", "acme", "--usage-plan", plan)
    check("project key rotate: another key", rotated != created, True)
    registered("project key rotate", rotated)
    run("sweep")
    erase = ["submission", "erase", "S-1", "--project", "acme", "--yes", "--wait", "0", "--approved-by", "Jane Doe"]
    line = "erased the record and 0 versions and delete markers of S-1, approved by Jane Doe\n"
    check("submission erase: who approved it", run(*erase), line)


def main():
    s3.create_bucket(Bucket="code")
    ids, properties = life(sns.create_topic(Name="alarms")["TopicArn"])
    if "--no-cargo" not in sys.argv:
        variables = properties["PutImageFunction"]["Environment"]["Variables"]
        put_test(variables)
        admin(usage_plan(properties), ids, variables)
    remove(STACK, ids)
    sys.exit(f"{differ} differ" if differ else 0)


if __name__ == "__main__":
    main()
