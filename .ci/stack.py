#!/usr/bin/env python3
"""Makes the stack of template.yaml on a moto_server and compares it with what the contract wants.

    .ci/with-moto python .ci/stack.py [--no-cargo]

`sam deploy` needs an account. Here aws-sam-translator transforms the template as the service does, and moto's
CloudFormation resolves every property and makes the types that it knows. It leaves out others, and some properties
of what it makes: what a later step needs of these is made by the services' own APIs, and all of them are compared as
CloudFormation resolved them. What checkov sees to, such as point-in-time recovery, versions and no public access, is
left to it. Then, without --no-cargo, the put test and the `admin` command run on these tables, this bucket and this
usage plan.
"""

import hashlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT, REGION, STACK = "123456789012", "us-east-1", "ci"
COMMIT = "0123456789ab"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:"

# For boto3, for samtranslator, which reads the region when it is imported, and for what cargo runs.
os.environ.update(
    AWS_ENDPOINT_URL=os.environ["TEST_DYNAMODB_ENDPOINT"], AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION,
    AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local-secret",
)

import boto3  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402

apigateway, cloudformation, cloudwatch, dynamodb, iam, lambda_, logs, s3, sns = map(
    boto3.client, "apigateway cloudformation cloudwatch dynamodb iam lambda logs s3 sns".split()
)

ROW_10 = '{"errorCode":"processing_error","message":"Failed to put image."}'
GATEWAY_RESPONSES = {
    "REQUEST_TOO_LARGE": ("413", '{"errorCode":"invalid_payload","message":"Fail to parse the input data."}', None),
    "THROTTLED": ("429", '{"message":"Too Many Requests"}', "'1'"),
    "QUOTA_EXCEEDED": ("429", '{"message":"Too Many Requests"}', "'3600'"),
    "DEFAULT_5XX": (None, ROW_10, "'1'"),
    "INTEGRATION_FAILURE": ("504", ROW_10, "'1'"),
    "INTEGRATION_TIMEOUT": ("504", ROW_10, "'1'"),
}
ACCESS_LOG = (
    "error.responseType extendedRequestId httpMethod identity.apiKeyId identity.sourceIp integration.requestId "
    "integrationLatency integrationStatus requestId requestTime resourcePath responseLatency responseLength status "
    "xrayTraceId"
)
METRICS = (
    "BodyBytes CleanupFailures ColdStarts CommitDuration DecodeDuration ImageBytes Images ReadDuration Requests "
    "TotalDuration UploadDuration"
)
ALARMS = {  # F is the function's name.
    "ProcessingErrorAlarm": "faults: PutImage Requests FunctionName=F Code=processing_error Sum 300, "
    "requests: PutImage Requests FunctionName=F Sum 300, share: 100 * FILL(faults, 0) / requests, GreaterThanThreshold 0.1",
    "FunctionErrorsAlarm": "AWS/Lambda Errors FunctionName=F Sum 300, GreaterThanOrEqualToThreshold 1.0",
    "GatewayErrorsAlarm": "failed: AWS/ApiGateway 5XXError ApiName=ci Stage=v3 Sum 300, "
    "faults: PutImage Requests FunctionName=F Code=processing_error Sum 300, "
    "requests: AWS/ApiGateway Count ApiName=ci Stage=v3 Sum 300, share: 100 * (failed - FILL(faults, 0)) / requests, "
    "GreaterThanThreshold 1.0",
    "ThrottlesAlarm": "AWS/Lambda Throttles FunctionName=F Sum 60, GreaterThanOrEqualToThreshold 1.0",
    "DurationAlarm": "p99: AWS/Lambda Duration FunctionName=F p99 300, share: 100 * p99 / (20 * 1000), "
    "GreaterThanThreshold 80.0",
    "CleanupFailuresAlarm": "PutImage CleanupFailures FunctionName=F Sum 3600, GreaterThanOrEqualToThreshold 1.0",
}
STAND_INS = {  # What another resource gets that refers to one of these; NAME is its logical ID.
    "AWS::ApiGateway::Stage": "v3",
    "AWS::CloudWatch::Alarm": f"{STACK}-NAME",
    "AWS::CodeDeploy::Application": "NAME",
    "AWS::CodeDeploy::DeploymentGroup": "NAME",
    "AWS::Lambda::Alias": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:${{PutImageFunction}}:live",
    "AWS::Lambda::Version": "1",
}
KEPT = (
    "ApiGatewayAccount ApiGatewayLogRole ImagesBucket ImagesLogBucket ProjectsTable PutImageFunctionVersion "
    "SubmissionsTable"
)


def transformed(parameters):
    """The template as CloudFormation gets it, with an empty archive for the function's code."""
    archive = io.BytesIO()
    zipfile.ZipFile(archive, "w").close()
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="code.zip", Body=archive.getvalue())
    template = yaml_parse((ROOT / "template.yaml").read_text())
    template["Resources"]["PutImageFunction"]["Properties"]["CodeUri"] = "s3://code/code.zip"
    return transform(template, dict(parameters), ManagedPolicyLoader(iam))


def make(template, parameters, stack_name=STACK):
    """Makes a stack; the IDs of what moto's CloudFormation made, each resource's properties, and outputs, resolved."""
    # moto doesn't make these, or doesn't know their attributes, and so would leave out what refers to them.
    text = json.dumps(template)
    for name, resource in template["Resources"].items():
        if stand_in := STAND_INS.get(resource["Type"], "").replace("NAME", name):
            for reference in ({"Ref": name}, {"Fn::GetAtt": [name, "Version"]}):
                text = text.replace(json.dumps(reference), json.dumps({"Fn::Sub": stand_in}))
            text = text.replace(f"${{{name}}}", stand_in)
    body = json.loads(text)
    outputs = {}
    for name, resource in body["Resources"].items():
        outputs[name + "Properties"] = {"Value": {"Fn::ToJsonString": resource["Properties"]}}
        # moto's API takes no definition, so it has no method, and moto refuses to deploy it. The permission is
        # for the alias, which moto's function doesn't have.
        if resource["Type"] in ("AWS::ApiGateway::Deployment", "AWS::Lambda::Permission"):
            body["Resources"][name] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    body["Outputs"] |= outputs
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    cloudformation.create_stack(StackName=stack_name, TemplateBody=json.dumps(body), Parameters=parameters)
    (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    resolved = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    made = cloudformation.list_stack_resources(StackName=stack_name)["StackResourceSummaries"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in made}
    properties = {name: json.loads(resolved[name + "Properties"]) for name in template["Resources"]}
    return ids, properties, {name: resolved.get(name) for name in template["Outputs"]}


def complete(properties):
    """Makes by the services' own APIs what later steps need and moto's CloudFormation leaves out; the plan's ID."""
    bucket = properties["ImagesBucket"]
    s3.put_bucket_versioning(Bucket=bucket["BucketName"], VersioningConfiguration=bucket["VersioningConfiguration"])
    for name in ALARMS:
        cloudwatch.put_metric_alarm(**properties[name])
    return apigateway.create_usage_plan(name=STACK, **camel_case(properties["UsagePlan"]))["id"]


def camel_case(value):
    """API Gateway's own names begin in lower case, CloudFormation's in upper case."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: camel_case(value) for name, value in value.items()}
    return [camel_case(value) for value in value] if isinstance(value, list) else value


def as_numbers(settings):
    """A parameter of the type Number is a text where it is referred to."""
    return [{n: int(v) if str(v).isdigit() else v for n, v in setting.items()} for setting in settings]


def tables(properties):
    """What the function doesn't see of them. tests/api/template.rs compares keys, indexes and names."""
    for name in ("ProjectsTable", "SubmissionsTable"):
        table = properties[name]
        yield f"{name}: encryption", table["SSESpecification"], {"SSEEnabled": True, "SSEType": "KMS"}
        yield f"{name}: protected from deletion", table["DeletionProtectionEnabled"], True


def buckets(ids, properties):
    images, log = ids["ImagesBucket"], ids["ImagesLogBucket"]
    yield "ImagesBucket: log", properties["ImagesBucket"]["LoggingConfiguration"], {"DestinationBucketName": log}
    replaced = {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}, "ExpiredObjectDeleteMarker": True}
    delivery = {
        "Sid": "DeliverLogs", "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{log}/*", "Condition": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{images}"}, "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    }
    write_once = {
        "Sid": "WriteOnce", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{images}/*", "Condition": {
            "Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    }
    for name, lifecycle, others in (
        ("ImagesBucket", {"Id": "ExpireReplacedImages", **replaced}, [write_once]),
        ("ImagesLogBucket", {"Id": "ExpireLogs", "ExpirationInDays": 90}, [delivery]),
    ):
        bucket, policy, arn = properties[name], properties[f"{name}Policy"], f"arn:aws:s3:::{ids[name]}"
        tls_only = {
            "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        (encryption,) = s3.get_bucket_encryption(Bucket=ids[name])["ServerSideEncryptionConfiguration"]["Rules"]
        yield f"{name}: encryption", encryption["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"}
        yield f"{name}: owner", bucket["OwnershipControls"]["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}]
        yield f"{name}: lifecycle", bucket["LifecycleConfiguration"]["Rules"], [{"Status": "Enabled", **lifecycle}]
        yield f"{name}: policy of this bucket", policy["Bucket"], ids[name]
        yield f"{name}: policy", policy["PolicyDocument"]["Statement"], [tls_only, *others]


def function(ids, properties):
    name, role = ids["PutImageFunction"], ids["PutImageRole"]
    made, resolved = lambda_.get_function_configuration(FunctionName=name), properties["PutImageFunction"]
    names = dict(PROJECTS_TABLE="ProjectsTable", SUBMISSIONS_TABLE="SubmissionsTable", IMAGES_BUCKET="ImagesBucket")
    variables = {variable: ids[name] for variable, name in names.items()} | {"METRICS_NAMESPACE": "PutImage"}
    yield "function: environment", made["Environment"]["Variables"], variables
    # The template declares endpoints, without a value, for `sam local`.
    yield "function: no endpoints", resolved["Environment"]["Variables"], variables
    yield "function: role", made["Role"], f"arn:aws:iam::{ACCOUNT}:role/{role}"
    yield "function: runtime", (made["Runtime"], resolved["Architectures"]), ("provided.al2023", ["x86_64"])
    yield "function: memory and timeout", (made["MemorySize"], made["Timeout"]), (512, 20)
    yield "function: tracing", resolved["TracingConfig"], {"Mode": "Active"}
    yield "function: log", resolved["LoggingConfig"], {"LogFormat": "JSON", "LogGroup": ids["LogGroup"]}
    (policy,) = properties["PutImageRole"]["Policies"]
    allowed = policy["PolicyDocument"]["Statement"]
    table, bucket = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ci-", f"arn:aws:s3:::{ids['ImagesBucket']}"
    yield "function: what it may do", [(s["Effect"], s["Action"], s["Resource"]) for s in allowed], [
        ("Allow", "dynamodb:Query", [f"{table}projects/index/{i}-index" for i in ("apiKeyHash", "previousApiKeyHash")]),
        ("Allow", "dynamodb:GetItem", f"{table}submissions"),
        ("Allow", "dynamodb:UpdateItem", f"{table}submissions"),
        ("Allow", "s3:PutObject", f"{bucket}/*"),
        ("Allow", "s3:DeleteObject", f"{bucket}/*"),
        ("Allow", "s3:GetBucketLocation", bucket),
        ("Allow", ["logs:CreateLogStream", "logs:PutLogEvents"], LOG_GROUP + ids["LogGroup"]),
        ("Allow", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
    ]
    conditions = {s["Sid"]: s["Condition"] for s in allowed if "Condition" in s}
    images = ["idImage", "idBackImage", "selfieImage", "addressImage"]
    attributes = {
        "FindProject": ["projectId", "apiKeyHash", "previousApiKeyHash", "previousApiKeyUntil", "status", "admins"],
        "ReadSubmission": ["submissionId", "projectId", *images],
        "CommitImages": ["submissionId", "projectId", "idType", *images, "updatedAt", "updatedBy"],
    }
    for sid, names in attributes.items():
        returned = {"dynamodb:ReturnValues": "NONE"} if sid == "CommitImages" else {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}
        only = {"ForAllValues:StringEquals": {"dynamodb:Attributes": names}, "StringEqualsIfExists": returned}
        yield f"function: attributes of {sid}", conditions[sid], only
    for sid in ("UploadImage", "DeleteReplacedImage", "WarmUp"):
        yield f"function: account of {sid}", conditions[sid], {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    yield "function: reserved concurrency", resolved.get("ReservedConcurrentExecutions"), None
    yield "function: its role's policies", iam.list_role_policies(RoleName=role)["PolicyNames"], ["PutImage"]
    yield "function: no other policies", iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"], []
    retention = {group["logGroupName"]: group["retentionInDays"] for group in logs.describe_log_groups()["logGroups"]}
    yield "retention of logs", retention, {ids["LogGroup"]: 90, ids["AccessLogGroup"]: 90}


def deployment(ids, template, properties, outputs):
    resources = template["Resources"]
    by_type = {resource["Type"]: name for name, resource in resources.items()}
    version, alias = by_type["AWS::Lambda::Version"], by_type["AWS::Lambda::Alias"]
    group = properties["PutImageFunctionDeploymentGroup"]
    function = ids["PutImageFunction"]
    leads_to = {"Name": "live", "FunctionName": function, "FunctionVersion": "1"}
    yield "alias", properties[alias], leads_to
    yield "alias: how it moves", resources[alias]["UpdatePolicy"], {
        "CodeDeployLambdaAliasUpdate": {
            "ApplicationName": {"Ref": "ServerlessDeploymentApplication"},
            "DeploymentGroupName": {"Ref": "PutImageFunctionDeploymentGroup"},
        }
    }
    described = f"{COMMIT}: 512 MB, 20 s, x86_64, ci-projects"
    yield "version: description", properties[version]["Description"], described
    yield "version: outlives its replacement", resources[version].get("UpdateReplacePolicy"), "Retain"
    referred = [
        set(re.findall(r'(?:"Ref": "|\$\{)(\w+)', json.dumps(resources[name]["Properties"]))) & set(template["Parameters"])
        for name in ("PutImageFunction", version)
    ]
    # A reservation is the function's, not the version's.
    yield "version: a new one for each parameter", referred[0] - referred[1], {"ReservedConcurrency"}
    yield "deployment: how fast", group["DeploymentConfigName"], "CodeDeployDefault.LambdaCanary10Percent15Minutes"
    yield "deployment: alarms", group["AlarmConfiguration"], {
        "Enabled": True, "Alarms": [
            {"Name": f"{STACK}-{alarm}Alarm"} for alarm in ("ProcessingError", "FunctionErrors", "GatewayErrors", "Duration")
        ],
    }
    events = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
    yield "deployment: is undone", group["AutoRollbackConfiguration"], {"Enabled": True, "Events": events}
    role = f"arn:aws:iam::{ACCOUNT}:role/{ids['CodeDeployServiceRole']}"
    yield "deployment: role", group["ServiceRoleArn"], role
    pattern = template["Parameters"]["Commit"]["AllowedPattern"]
    taken = [commit for commit in (COMMIT, "unknown", "", "HEAD") if re.search(pattern, commit)]
    yield "commit: what is taken", taken, [COMMIT, "unknown"]
    yield "outputs: version", outputs["Version"].partition(" ")[2], f"({COMMIT})"
    named = [outputs[name] for name in ("Function", "DeploymentApplication", "DeploymentGroup")]
    names = [function, "ServerlessDeploymentApplication", "PutImageFunctionDeploymentGroup"]
    yield "outputs: what a rollback needs", named, names


def api(ids, properties, plan):
    (stage,) = (p for p in properties.values() if "AccessLogSetting" in p)
    callers = [p for p in properties.values() if p.get("Action") == "lambda:InvokeFunction"]
    definition, log = properties["Api"]["Body"], stage["AccessLogSetting"]
    paths = definition["paths"].items()
    routes = [(method, path, route.get("security")) for path, methods in paths for method, route in methods.items()]
    key = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    answers = definition["x-amazon-apigateway-gateway-responses"]
    retry_after = "gatewayresponse.header.Retry-After"
    answers = {
        n: (a.get("statusCode"), a["responseTemplates"]["application/json"], a["responseParameters"].get(retry_after))
        for n, a in answers.items()
    }
    integration = definition["paths"]["/Image"]["put"]["x-amazon-apigateway-integration"]
    alias = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{ids['PutImageFunction']}:live"
    invocations = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{alias}/invocations"
    source = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{ids['Api']}/*/PUT/Image"
    yield "API: routes, each with a key", routes, [("put", "/Image", [{"api_key": []}])]
    yield "API: where the key is", definition["securityDefinitions"], {"api_key": key}
    yield "API: text, not binary", definition.get("x-amazon-apigateway-binary-media-types"), None
    yield "API: its own answers", answers, GATEWAY_RESPONSES
    yield "API: it calls the alias", (integration["type"], integration["uri"]), ("aws_proxy", invocations)
    yield "API: it may call the alias", [p["FunctionName"] for p in callers], [alias]
    yield "API: who calls the function", [p["Principal"] for p in callers], ["apigateway.amazonaws.com"]
    yield "API: by which route", [p["SourceArn"] for p in callers], [source]
    yield "API: stage", (stage["StageName"], stage["TracingEnabled"]), ("v3", True)
    throttle = {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 5000, "ThrottlingBurstLimit": 5000}
    yield "API: throttle of all keys", as_numbers(stage["MethodSettings"]), [throttle]
    yield "API: where it logs", log["DestinationArn"], LOG_GROUP + ids["AccessLogGroup"]
    yield "API: what it logs", sorted(json.loads(log["Format"]).values()), [f"$context.{v}" for v in ACCESS_LOG.split()]
    logger = f"arn:aws:iam::{ACCOUNT}:role/{ids['ApiGatewayLogRole']}"
    yield "API: who logs", properties["ApiGatewayAccount"], {"CloudWatchRoleArn": logger}
    made = apigateway.get_usage_plan(usagePlanId=plan)
    yield "usage plan: stages", made["apiStages"], [{"apiId": ids["Api"], "stage": "v3"}]
    yield "usage plan: throttle", made["throttle"], {"rateLimit": 5000, "burstLimit": 5000}
    yield "usage plan: quota", made["quota"], {"limit": 500000, "period": "DAY"}


def operation(ids, topic):
    name = ids["PutImageFunction"]

    def metric(stat):
        found = stat["Metric"]
        dimensions = [f"{d['Name']}={d['Value']}".replace(name, "F") for d in found["Dimensions"]]
        return " ".join([found["Namespace"], found["MetricName"], *dimensions, stat["Stat"], str(stat["Period"])])

    made = {alarm["AlarmName"]: alarm for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    for title, expected in ALARMS.items():
        alarm = made[f"{STACK}-{title}"]
        parts = sorted(
            f"{part['Id']}: {part.get('Expression') or metric(part['MetricStat'])}" for part in alarm.get("Metrics", [])
        ) or [metric({"Metric": alarm, "Stat": alarm["Statistic"], "Period": alarm["Period"]})]
        threshold = f"{alarm['ComparisonOperator']} {alarm['Threshold']}"
        yield f"{title}: what it watches", ", ".join([*parts, threshold]), expected
        yield f"{title}: where it goes", (alarm["AlarmActions"], alarm["TreatMissingData"]), ([topic], "notBreaching")
        yield f"{title}: leads to the runbook", "docs/runbook.md" in alarm["AlarmDescription"], True
    body = cloudwatch.get_dashboard(DashboardName=STACK)["DashboardBody"]
    (alarms, *graphs) = [widget["properties"] for widget in json.loads(body)["widgets"]]
    yield "dashboard: alarms", sorted(alarms["alarms"]), sorted(alarm["AlarmArn"] for alarm in made.values())
    graphed = {metric for metric in METRICS.split() if re.search(rf'\b{metric}\b', json.dumps(graphs))}
    yield "dashboard: metrics", sorted(graphed), METRICS.split()
    functions = set(re.findall(r'FunctionName(?:\\*", "|=\\*")([^"\\]+)', json.dumps(graphs)))
    yield "dashboard: function", functions, {name}


def own_parameters():
    """A stack with a key and a reservation of one's own, deployed all at once."""
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/own"
    parameters = {"Prefix": "own-", "KmsKeyArn": key, "ReservedConcurrency": "50", "DeploymentPreference": "AllAtOnce"}
    _, properties, _ = make(transformed(parameters), parameters, "own")
    for name in ("ProjectsTable", "SubmissionsTable"):
        encryption = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        yield f"own key: {name}", properties[name]["SSESpecification"], encryption
    (rule,) = properties["ImagesBucket"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    yield "own key: ImagesBucket", rule, {
        "BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
    }
    for name in ("LogGroup", "AccessLogGroup"):
        yield f"own key: {name}", properties[name]["KmsKeyId"], key
    (statement,) = properties["UseKmsKey"]["PolicyDocument"]["Statement"]
    yield "own key: what the function may do", (statement["Action"], statement["Resource"]), (
        ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], key,
    )
    via = [f"{service}.{REGION}.amazonaws.com" for service in ("s3", "dynamodb")]
    yield "own key: by way of", statement["Condition"], {"StringEquals": {"kms:ViaService": via}}
    group = properties["PutImageFunctionDeploymentGroup"]
    yield "all at once", group["DeploymentConfigName"], "CodeDeployDefault.LambdaAllAtOnce"
    yield "all at once: no alarm stops it", group["AlarmConfiguration"], {}
    yield "reserved concurrency", int(properties["PutImageFunction"]["ReservedConcurrentExecutions"]), 50


def admin(plan, ids, variables):
    """A project is made and its key changed, and a submission made, by the command that operators use."""

    # All members, as the put test does: cargo then builds nothing twice.
    subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=ROOT, check=True)

    def run(*arguments):
        command = [ROOT / "target/debug/admin", *arguments]
        env = os.environ | variables
        return subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout

    def registered(what, printed):
        key = printed.removesuffix("\n")
        yield f"{what}: prints the key alone", bool(re.fullmatch(r"\S{20,}", key)), True
        item = dynamodb.get_item(TableName=ids["ProjectsTable"], Key={"projectId": {"S": "acme"}})["Item"]
        yield f"{what}: hash of the key", item["apiKeyHash"], {"S": hashlib.sha256(key.encode()).hexdigest()}
        yield f"{what}: the key is stored nowhere", key in json.dumps(item), False
        on_plan = [k["id"] for k in apigateway.get_usage_plan_keys(usagePlanId=plan)["items"]]
        values = {k["id"]: k["value"] for k in apigateway.get_api_keys(includeValues=True)["items"]}
        yield f"{what}: API Gateway's keys", list(values.values()), [key]
        # moto leaves a key that was deleted on its plan.
        yield f"{what}: keys on the usage plan", [key for key in on_plan if key in values], list(values)

    created = run("project", "create", "acme", "--admin", "admin@acme.example", "--usage-plan", plan)
    yield from registered("project create", created)
    run("submission", "create", "S-1", "--project", "acme")
    yield "submission show", "acme" in run("submission", "show", "S-1"), True
    rotated = run("project", "key", "rotate", "acme", "--usage-plan", plan)
    yield "project key rotate: another key", rotated != created, True
    yield from registered("project key rotate", rotated)
    run("sweep")


def put_test(variables):
    """The function puts images, and replaces them, in these tables and this bucket."""
    test = "samples::put_requests_succeed_and_store_the_drawings"
    command = ["cargo", "test", "--locked", "--test", "api", "--", "--exact", test]
    yield "put test", subprocess.run(command, cwd=ROOT, env=os.environ | variables).returncode, 0


def main():
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    parameters = {"Prefix": "ci-", "AlarmTopicArn": topic, "Commit": COMMIT}
    template = transformed(parameters)
    ids, properties, outputs = make(template, parameters)
    plan = complete(properties)
    resources = template["Resources"]
    left_out = {resource["Type"] for name, resource in resources.items() if name not in ids}
    print("moto's CloudFormation did not make:", ", ".join(sorted(left_out)))
    outlive = [name for name, resource in resources.items() if resource.get("DeletionPolicy", "Delete") != "Delete"]
    # SAM adds a hash to the version's name.
    outlive = sorted(re.sub("(?<=Version)[0-9a-f]{10}$", "", name) for name in outlive)
    checks = [
        tables(properties), buckets(ids, properties), function(ids, properties),
        deployment(ids, template, properties, outputs), api(ids, properties, plan), operation(ids, topic),
        own_parameters(), [("what outlives the stack", outlive, KEPT.split())],
    ]
    if "--no-cargo" not in sys.argv:
        variables = properties["PutImageFunction"]["Environment"]["Variables"]
        checks += [put_test(variables), admin(plan, ids, variables)]
    differ = 0
    for what, found, expected in itertools.chain.from_iterable(checks):
        print("ok     " if found == expected else "DIFFERS", what, flush=True)
        if found != expected:
            differ += 1
            print(f"        is        {found}\n        should be {expected}", flush=True)
    sys.exit(f"{differ} differ" if differ else 0)


if __name__ == "__main__":
    main()
