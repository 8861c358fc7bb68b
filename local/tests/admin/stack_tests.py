"""The commands, and doctor, on a stack; and the policy of operators."""

import os
import time

from acts import check_acts
from fake_aws import FakeAws
from imports import check_imports
from people import person, write
from program import check, equal
from stack import REGION, TEMPLATE, Stack

# The calls that require no permission.
FREE = {"sts:GetCallerIdentity"}
# The permissions to read, in the console, the events, the saved queries, the metrics and the dashboard.
CONSOLE = {
    "cloudwatch:GetDashboard",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:DescribeQueryDefinitions",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:GetQueryResults",
    "logs:StartQuery",
}
STACK = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${AWS::StackName}/*"


def check_stack(folder):
    fake = FakeAws(os.environ["DYNAMODB_LOCAL_URL"], os.environ["MOTO_URL"])
    check_acts(Stack(folder / "acts", fake))
    check_imports(Stack(folder / "first", fake), Stack(folder / "second", fake))
    check_doctor(folder, fake)
    check_failed_import(folder, fake)
    check_interrupted_export(folder, fake)
    check_throttled_import(folder, fake)
    check_remaining_sessions(folder, fake)
    check_unknown_stack(folder, fake)
    check_arn(folder, fake)
    check_profile(folder, fake)
    check_policy(fake.calls)


def check_failed_import(folder, fake):
    """An import that loses its permission stops, reports the call, and continues."""
    stack = Stack(folder / "failed", fake)
    write(stack.folder / "people.jsonl", [person(nth) for nth in range(150)])
    fake.denied = {"dynamodb:TransactWriteItems"}
    check("dynamodb:TransactWriteItems" in stack.error("import", "people.jsonl"), "a failed import")
    fake.denied = {"dynamodb:Scan"}
    check("dynamodb:Scan" in stack.error("export", "people.export"), "a failed export")
    fake.denied = set()
    check(not list(stack.folder.glob(".export-*")), "a failed export leaves a file")
    equal(stack.json("import", "people.jsonl")["created"], 150, "the users after the failure")
    outcomes = [line["outcome"] for line in stack.audit_lines()]
    equal(outcomes, ["started", "failed", "started", "failed", "started", "done"], "the audit lines")


def check_interrupted_export(folder, fake):
    """An export that is interrupted leaves no file, and logs that it was."""
    stack = Stack(folder / "interrupted", fake)

    def interrupt(_):
        process.terminate()
        # Until then, the command has no answer.
        process.wait(600)
        return {"Items": [], "Count": 0, "ScannedCount": 0}

    fake.answers["dynamodb:Scan"] = interrupt
    process = stack.start("export", "people.export")
    _, errors = process.communicate(timeout=600)
    del fake.answers["dynamodb:Scan"]
    equal((process.returncode, errors.strip()), (1, "Error: interrupted: repeat the command"), "an interrupted export")
    equal(list(stack.folder.iterdir()), [], "the files of an interrupted export")
    equal([line["outcome"] for line in stack.audit_lines()], ["started", "interrupted"], "the audit lines")


def check_throttled_import(folder, fake):
    """While DynamoDB throttles, an import waits and repeats its calls."""
    stack = Stack(folder / "throttled", fake)
    write(stack.folder / "people.jsonl", [person(nth) for nth in range(20)])
    fake.throttled["dynamodb:TransactWriteItems"] = 30
    equal(stack.json("import", "people.jsonl")["created"], 20, "the users of a throttled import")
    equal(fake.throttled["dynamodb:TransactWriteItems"], 0, "the calls that were not throttled")


def check_remaining_sessions(folder, fake):
    """The operator sees that a step which succeeded left something."""
    stack = Stack(folder / "remaining", fake)
    write(stack.folder / "people.jsonl", [person(1)])
    stack.text("import", "people.jsonl")
    stack.start_session(person(1)["id"], person(1)["token_version"])
    fake.denied = {"dynamodb:DeleteItem"}
    output, errors = stack.run("delete", person(1)["id"], "--yes")
    fake.denied = set()
    check("is deleted" in output and "WARN sessions of a deleted user remain" in errors, (output, errors))


def check_unknown_stack(folder, fake):
    stack = Stack(folder / "unknown", fake)
    stack.arguments[1] = "unknown"
    error = stack.error("limits")
    check("no stack unknown exists in ap-northeast-2" in error and "--profile" in error, error)
    check("The stack cannot be read" in stack.text("doctor", code=1), "doctor of an unknown stack")


def check_arn(folder, fake):
    """The ARN of a stack is as good as its name."""
    stack = Stack(folder / "arn", fake)
    stack.arguments[1] = stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"][0]["StackId"]
    stack.text("pause-sms")
    equal([line["outcome"] for line in stack.audit_lines()], ["started", "done"], "the audit lines")
    found = findings(stack, code=1)
    check(f"The stack {stack.name} is" in found["stack"]["finding"], found["stack"])


def check_profile(folder, fake):
    """The profile that the operator names has priority over credentials in the environment."""
    stack = Stack(folder / "profile", fake)
    file = stack.folder / "credentials"
    file.write_text("[operator]\naws_access_key_id = OPERATOR\naws_secret_access_key = x\n", "utf-8")
    stack.environment["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
    fake.denied = {"*"}
    for profile, is_used in ((["--profile", "operator"], True), ([], False)):
        fake.access_keys.clear()
        check(f"for the stack {stack.name} in" in stack.error("limits", *profile), "a denied call")
        equal("OPERATOR" in fake.access_keys, is_used, f"the credentials of {profile}")
    fake.denied = set()
    check("unknown" in stack.error("limits", "--profile", "unknown"), "an unknown profile")


def check_doctor(folder, fake):
    states = healthy(fake)
    Stack.client(None, "sns").set_sms_attributes(attributes={"MonthlySpendLimit": "1"})
    # A stack of which nothing but the template was deployed, in a new account.
    bare = Stack(folder / "bare", fake)
    states.update(sandbox="true", concurrency=10, rotation=False, recovery="DISABLED", alarms=[])
    found = findings(bare, code=1)
    problems = {"SMS sandbox", "SMS spending limit", "alarm topic", "missing alarms", "recovery", "key rotation"}
    equal(names(found, "problem"), problems, "the problems of a bare stack")
    equal(names(found, "warning"), {"concurrency", "SMS price"}, "ten concurrent executions, and no price")
    check(all(found[name]["action"] for name in problems), "a problem does not contain what to do")
    check("KR" in found["SMS countries"]["finding"], found["SMS countries"])

    check_ready_stack(folder, fake, states)
    check_changed_stack(folder, fake, states)
    check_denied(bare, fake)


def check_ready_stack(folder, fake, states):
    sns = Stack.client(None, "sns")
    topic = sns.create_topic(Name=f"alarms-{os.getpid()}")["TopicArn"]
    ready = Stack(folder / "ready", fake, AlarmTopicArn=topic, AccountConcurrency="100", SmsCountries="KR,JP")
    alarms = alarms_of(ready.name, topic)
    # A stack whose name begins with that of this one.
    others = [{**alarm, "StateValue": "ALARM"} for alarm in alarms_of(f"{ready.name}-staging", topic)]
    states.update(sandbox="false", concurrency=100, rotation=True, recovery="ENABLED", alarms=alarms + others)
    equal(findings(ready, code=1)["alarm topic"]["status"], "problem", "a topic without subscriptions")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="operator@example.com")
    sns.set_sms_attributes(attributes={"MonthlySpendLimit": "2000"})
    equal(names(findings(ready), "warning"), {"SMS price"}, "a stack without the prices of SMS")
    ready.update_stack({"SmsPricesUsd": "2020-01-31,KR:0.02,JP:0.07"})
    equal(names(findings(ready), "warning"), {"SMS price"}, "a stack with old prices")
    today = time.strftime("%Y-%m-%d", time.gmtime())
    ready.update_stack({"SmsPricesUsd": f"{today},KR:0.02,JP:0.07"})
    found = findings(ready)
    equal({one["status"] for one in found.values()}, {"ok"}, f"a stack that is ready: {found}")
    check("JP, KR" in found["SMS countries"]["finding"] or "KR, JP" in found["SMS countries"]["finding"], found)
    check(ready.text("doctor").endswith("Problems: 0, unchecked: 0, warnings: 0"), "doctor in text")

    ready.publish_key(int(time.time()) - 40 * 86_400)
    check(f"./local/admin --stack {ready.name} --region" in ready.text("pause-sms"), "the hint of a pause")
    sns.set_sms_attributes(attributes={"MonthlySpendLimit": "100"})
    alarms[0]["StateValue"], alarms[1]["ActionsEnabled"] = "ALARM", False
    states.update(concurrency=1000)
    found = findings(ready, code=1)
    check(f"--secret-id {ready.secret} --region {REGION}" in found["signing key"]["action"], found["signing key"])
    worse = {name: one["status"] for name, one in found.items() if one["status"] != "ok"}
    equal(
        worse,
        {
            "SMS spending limit": "warning",
            "SMS pause": "warning",
            "concurrency": "warning",
            "signing key": "problem",
            "alarms": "problem",
            "raised alarms": "problem",
        },
        "a stack that was ready",
    )


def check_changed_stack(folder, fake, states):
    """A stack that somebody changed by hand, with parameters that do not fit together."""
    countries = "KR,JP,US,GB,DE,FR,IT,ES,NL,BE,CH"
    topic = f"arn:aws:sns:{REGION}:123456789012:deleted"
    prices = {"SmsMaxPriceUsd": "0.60", "SmsPricesUsd": "2026-11-29,KR:0.70"}
    changed = Stack(folder / "changed", fake, SmsCountries=countries, AlarmTopicArn=topic, **prices)
    for table in ("SmsSessionsTable", "SessionsTable", "LimitsTable"):
        changed.switch_expiry_off(table)
    changed.switch_protection_off()
    fake.replaced["CREATE_COMPLETE"] = "UPDATE_ROLLBACK_COMPLETE"
    states.update(concurrency=5, alarms=alarms_of(changed.name, "arn:other")[1:])
    found = findings(changed, code=1)
    equal(found["SMS countries"]["status"], "warning", "eleven countries")
    check("KR" in found["SMS price"]["finding"], found["SMS price"])
    check("does not exist" in found["alarm topic"]["finding"], found["alarm topic"])
    check("Api5xxAlarm" in found["missing alarms"]["finding"], found["missing alarms"])
    check("Nobody is notified" in found["alarms"]["finding"], found["alarms"])
    equal(
        names(found, "problem") - {"recovery", "key rotation"},
        {
            "SMS price",
            "alarm topic",
            "alarms",
            "concurrency",
            "deletion protection",
            "missing alarms",
            "expiry of Limits",
            "expiry of Sessions",
            "expiry of SmsSessions",
            "stack",
        },
        "the problems of a stack that somebody changed",
    )
    fake.replaced.clear()
    states.update(alarms=alarms_of(changed.name, "arn:other"))
    limits = fake.answers["lambda:GetAccountSettings"]
    fake.answers["lambda:GetAccountSettings"] = lambda _: {}
    found = findings(changed, code=1)
    fake.answers["lambda:GetAccountSettings"] = limits
    check("Nobody is notified" in found["alarms"]["finding"], "alarms without the topic")
    equal(names(found, "unchecked"), {"concurrency"}, "an account without limits")


def names(found, status):
    return {name for name, one in found.items() if one["status"] == status}


def alarms_of(stack, topic):
    """The alarms of the template, as CloudWatch describes those of a stack."""
    alarm = {"ActionsEnabled": True, "AlarmActions": [topic], "StateValue": "OK"}
    ids = [name for name, one in TEMPLATE["Resources"].items() if one["Type"] == "AWS::CloudWatch::Alarm"]
    return [{"AlarmName": f"{stack}-{name}-1A2B3C", **alarm} for name in sorted(ids)]


def check_denied(stack, fake):
    """Without permissions, doctor reports what it could not check."""
    fake.denied = {name for name, _ in fake.calls if name != "cloudformation:DescribeStacks"}
    found = findings(stack, code=1)
    for name, call in {
        "SMS sandbox": "sns:GetSMSSandboxAccountStatus",
        "SMS spending limit": "sns:GetSMSAttributes",
        "concurrency": "lambda:GetAccountSettings",
        "recovery": "dynamodb:DescribeContinuousBackups",
        "key rotation": "secretsmanager:DescribeSecret",
        "alarms": "cloudwatch:DescribeAlarms",
        "signing key": "could not be checked",
        "SMS pause": "could not be checked",
    }.items():
        equal(found[name]["status"], "unchecked", name)
        check(call in found[name]["finding"] and "OperatorPolicy" in found[name]["action"], found[name])
    fake.denied = {"*"}
    check("cloudformation:DescribeStacks" in stack.error("limits"), "a stack that cannot be read")
    fake.denied = set()


def findings(stack, code=0):
    output = stack.json("doctor", code=code)
    found = {one["check"]: one for one in output["findings"]}
    equal(len(found), len(output["findings"]), "the number of different checks")
    return found


def healthy(fake):
    """Answers what DynamoDB Local and moto lack. Returns the states, which tests change."""
    states = {}
    fake.answers = {
        "sns:GetSMSSandboxAccountStatus": lambda _: {"IsInSandbox": states["sandbox"]},
        "lambda:GetAccountSettings": lambda _: {
            "AccountLimit": {
                "ConcurrentExecutions": 1000 + states["concurrency"],
                "UnreservedConcurrentExecutions": states["concurrency"],
            }
        },
        "secretsmanager:DescribeSecret": lambda _: {
            "RotationEnabled": states["rotation"],
            "RotationRules": {"AutomaticallyAfterDays": 30},
        },
        "dynamodb:DescribeContinuousBackups": lambda _: {
            "ContinuousBackupsDescription": {
                "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": states["recovery"]},
            }
        },
        # All alarms, so that the command itself must find those of its stack.
        "cloudwatch:DescribeAlarms": lambda _: {"MetricAlarms": states["alarms"], "CompositeAlarms": []},
    }
    return states


def check_policy(calls):
    """The policy permits exactly the calls of these tests, on each table, and what the operator reads in the console."""
    statements = TEMPLATE["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    permitted = set()
    for statement in statements:
        equal(statement["Effect"], "Allow", "a statement of OperatorPolicy")
        for action in statement["Action"]:
            is_of_table = action.startswith("dynamodb:")
            resource = statement["Resource"]["Fn::GetAtt"][0] if is_of_table else ""
            if action == "cloudformation:DescribeStacks":
                equal(statement["Resource"], {"Fn::Sub": STACK}, "the stack, as IAM names one without its id")
            permitted.add((action, resource))
    required = {call for call in calls if call[0] not in FREE} | {(action, "") for action in CONSOLE}
    equal(sorted(permitted), sorted(required), "the permissions of OperatorPolicy")
