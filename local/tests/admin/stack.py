"""A stack on AWS, in DynamoDB Local and moto: the tables, the parameters and the outputs of template.yaml."""

import base64
import itertools
import json
import os
import time

import boto3
from samcli.yamlhelper import yaml_parse

from program import ROOT, Program

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
TABLES = ["UsersTable", "SmsSessionsTable", "SessionsTable", "LimitsTable", "PublicKeysTable"]
REGION = "ap-northeast-2"
NUMBERS = itertools.count(1)


class Stack(Program):
    def __init__(self, folder, fake, **parameters):
        folder.mkdir()
        self.fake = fake
        self.name = f"ably-{os.getpid()}-{next(NUMBERS)}"
        super().__init__(
            folder,
            ["--stack", self.name, "--region", REGION],
            # LOCAL_DIR is not used.
            {"AWS_ENDPOINT_URL": fake.url, "LOCAL_DIR": str(folder / "none")},
        )
        self.group = f"/aws/lambda/{self.name}"
        self.secret = self.client("secretsmanager").create_secret(Name=f"{self.name}-keys", SecretString="{}")["ARN"]
        self.tables = {name: self.create_table(name) for name in TABLES}
        self.client("logs").create_log_group(logGroupName=self.group)
        self.create_stack({"ServiceName": "Ably", **parameters})
        self.publish_key(int(time.time()))

    def client(self, service):
        # Directly, so that the calls of the tests are not recorded as those of the command.
        url = os.environ["DYNAMODB_LOCAL_URL" if service == "dynamodb" else "MOTO_URL"]
        return boto3.client(service, region_name=REGION, endpoint_url=url)

    def create_table(self, resource):
        properties = TEMPLATE["Resources"][resource]["Properties"]
        names = ["AttributeDefinitions", "KeySchema", "BillingMode", "DeletionProtectionEnabled"]
        table, dynamodb = f"{self.name}-{resource}", self.client("dynamodb")
        definition = {name: properties[name] for name in names if name in properties}
        dynamodb.create_table(TableName=table, **definition)
        if "TimeToLiveSpecification" in properties:
            specification = properties["TimeToLiveSpecification"]
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
        return table

    def create_stack(self, parameters):
        outputs = {f"{name}Name": table for name, table in self.tables.items()} | {"PrivateKeysSecretArn": self.secret}
        template = {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Parameters": TEMPLATE["Parameters"],
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        body = json.dumps(template)
        self.client("cloudformation").create_stack(StackName=self.name, TemplateBody=body, Parameters=given)

    def update_stack(self, parameters):
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        cloudformation = self.client("cloudformation")
        kept = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["Parameters"]
        given += [one for one in kept if one["ParameterKey"] not in parameters]
        cloudformation.update_stack(StackName=self.name, UsePreviousTemplate=True, Parameters=given)

    def switch_expiry_off(self, resource):
        specification = {"Enabled": False, "AttributeName": "expires_at"}
        dynamodb = self.client("dynamodb")
        dynamodb.update_time_to_live(TableName=self.tables[resource], TimeToLiveSpecification=specification)

    def switch_protection_off(self):
        self.client("dynamodb").update_table(TableName=self.tables["UsersTable"], DeletionProtectionEnabled=False)

    def publish_key(self, created_at):
        modulus = base64.urlsafe_b64encode(b"\xff" + os.urandom(255)).decode().rstrip("=")
        key_set = json.dumps({"keys": [{"kid": "a", "created_at": created_at, "n": modulus, "e": "AQAB"}]})
        item = {"pk": {"S": "KEYS"}, "key_set": {"S": key_set}}
        self.client("dynamodb").put_item(TableName=self.tables["PublicKeysTable"], Item=item)

    def set_counts(self, subject, numbers):
        item = {"pk": {"S": subject}} | {name: {"N": str(number)} for name, number in numbers.items()}
        self.client("dynamodb").put_item(TableName=self.tables["LimitsTable"], Item=item)

    def set_sms_of_day(self, day, count):
        self.client("dynamodb").update_item(
            TableName=self.tables["LimitsTable"],
            Key={"pk": {"S": "SMS#DAY"}},
            UpdateExpression="SET #day = :day, #count = :count",
            ExpressionAttributeNames={"#day": "day", "#count": "count"},
            ExpressionAttributeValues={":day": {"N": str(day)}, ":count": {"N": str(count)}},
        )

    def start_session(self, user_id, token_version):
        item = {"pk": {"S": f"USER#{user_id}"}, "sk": {"S": "SESSION#a"}, "token_version": {"N": str(token_version)}}
        self.client("dynamodb").put_item(TableName=self.tables["SessionsTable"], Item=item)

    def sessions(self, user_id):
        return self.client("dynamodb").query(
            TableName=self.tables["SessionsTable"],
            KeyConditionExpression="pk = :user",
            ExpressionAttributeValues={":user": {"S": f"USER#{user_id}"}},
        )["Count"]

    def audit_lines(self):
        logs, lines = self.client("logs"), []
        streams = logs.describe_log_streams(logGroupName=self.group)["logStreams"]
        for stream in sorted(streams, key=lambda stream: stream["creationTime"]):
            assert stream["logStreamName"].startswith(time.strftime("admin/%Y/", time.gmtime())), stream
            events = logs.get_log_events(logGroupName=self.group, logStreamName=stream["logStreamName"])
            lines += [json.loads(event["message"]) for event in events["events"]]
        return lines

    def lose_audit_log(self):
        """Denies the calls that write a line. Returns what restores the log."""
        self.fake.denied = {"logs:PutLogEvents"}
        return self.fake.denied.clear
