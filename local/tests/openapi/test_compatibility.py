"""Tests each rule of compatibility.py."""

import copy
import unittest

from compatibility import breaking_changes, permits_breaking_changes

DOCUMENT = {
    "info": {"version": "1.2.3"},
    "paths": {
        "/login": {
            "post": {
                "parameters": [{"name": "purpose", "in": "query", "schema": {"type": "string", "enum": ["a", "b"]}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}},
                "responses": {
                    "200": {
                        "headers": {"Cache-Control": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Response"}}},
                    },
                    "401": {
                        "content": {
                            "application/problem+json": {
                                "schema": {
                                    "allOf": [
                                        {"$ref": "#/components/schemas/Problem"},
                                        {"properties": {"error_code": {"enum": ["A", "B"]}}},
                                    ]
                                }
                            }
                        }
                    },
                },
            }
        },
        "/keys": {"get": {"responses": {"200": {}}}},
    },
    "components": {
        "schemas": {
            "Request": {
                "type": "object",
                "properties": {
                    "email": {"type": "string", "maxLength": 254},
                    "phone": {"oneOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["email"],
            },
            "Response": {
                "type": "object",
                "properties": {
                    "token": {"type": "string"},
                    "sessions": {"type": "array", "items": {"type": "object", "properties": {"id": {}}}},
                },
                "required": ["token"],
            },
            "Problem": {
                "type": "object",
                "properties": {"error_code": {"type": "string", "enum": ["A", "B", "C"]}},
                "required": ["error_code"],
            },
        }
    },
}


class CompatibilityTest(unittest.TestCase):
    def setUp(self):
        self.new = copy.deepcopy(DOCUMENT)
        self.login = self.new["paths"]["/login"]["post"]
        self.request = self.new["components"]["schemas"]["Request"]
        self.response = self.new["components"]["schemas"]["Response"]

    def finds(self, *expected):
        self.assertEqual(breaking_changes(DOCUMENT, self.new), list(expected))

    def test_the_same_document_breaks_nothing(self):
        self.finds()

    def test_additions_break_nothing(self):
        self.new["paths"]["/logout"] = {"post": {"responses": {"204": {}}}}
        self.login["responses"]["429"] = {}
        self.request["properties"]["device_token"] = {"type": "string"}
        self.response["properties"]["device_token"] = {"type": "string"}
        self.response["required"].append("device_token")
        self.login["parameters"].append({"name": "language", "in": "query", "schema": {"type": "string"}})
        self.login["parameters"][0]["schema"]["enum"].append("c")
        self.finds()

    def test_a_removed_path_is_found(self):
        del self.new["paths"]["/keys"]
        self.finds("GET /keys is gone")

    def test_a_removed_method_is_found(self):
        self.new["paths"]["/login"]["put"] = self.new["paths"]["/login"].pop("post")
        self.finds("POST /login is gone")

    def test_a_removed_status_is_found(self):
        del self.login["responses"]["401"]
        self.finds("POST /login 401 is gone")

    def test_a_removed_header_is_found(self):
        del self.login["responses"]["200"]["headers"]
        self.finds("POST /login 200 no longer has the header Cache-Control")

    def test_another_content_type_is_found(self):
        content = self.login["responses"]["200"]["content"]
        content["text/plain"] = content.pop("application/json")
        self.finds("POST /login 200 is no longer application/json")

    def test_a_removed_field_of_a_response_is_found(self):
        for name in ["token", "sessions"]:
            del self.response["properties"][name]
        self.response["required"] = []
        self.finds("POST /login 200.sessions is gone", "POST /login 200.token is gone")

    def test_a_removed_field_of_an_item_is_found(self):
        del self.response["properties"]["sessions"]["items"]["properties"]["id"]
        self.finds("POST /login 200.sessions[].id is gone")

    def test_a_field_that_can_be_missing_is_found(self):
        self.response["required"] = []
        self.finds("POST /login 200.token is no longer always there")

    def test_a_removed_error_code_is_found(self):
        schema = self.login["responses"]["401"]["content"]["application/problem+json"]["schema"]
        schema["allOf"][1]["properties"]["error_code"] = {"const": "B"}
        self.finds('POST /login 401.error_code is no longer "A"')

    def test_a_field_that_became_required_is_found(self):
        self.request["required"].append("phone")
        self.finds("POST /login request.phone is now required")

    def test_a_new_required_field_is_found(self):
        self.request["properties"]["name"] = {"type": "string"}
        self.request["required"].append("name")
        self.finds("POST /login request.name is now required")

    def test_a_required_parameter_is_found(self):
        self.login["parameters"][0]["required"] = True
        self.login["parameters"].append({"name": "phone", "in": "query", "required": True, "schema": {}})
        self.finds("POST /login ?phone is now required", "POST /login ?purpose is now required")

    def test_a_value_that_is_no_longer_accepted_is_found(self):
        self.login["parameters"][0]["schema"]["enum"] = ["a", "c"]
        self.finds('POST /login ?purpose no longer accepts "b"')

    def test_a_new_enum_in_a_request_is_found(self):
        self.request["properties"]["email"]["enum"] = ["minji@example.com"]
        self.finds("POST /login request.email no longer accepts every value")

    def test_null_that_is_no_longer_accepted_is_found(self):
        self.request["properties"]["phone"] = {"type": "string"}
        self.finds("POST /login request.phone can no longer be null")

    def test_null_in_a_response_is_found(self):
        self.response["properties"]["token"]["type"] = ["string", "null"]
        self.finds("POST /login 200.token can now be null")

    def test_another_type_is_found(self):
        self.request["properties"]["email"]["type"] = "object"
        self.response["properties"]["token"]["type"] = "integer"
        self.finds("POST /login 200.token can now be integer", "POST /login request.email can no longer be string")

    def test_a_tighter_bound_of_a_request_is_found(self):
        self.request["properties"]["email"] |= {"maxLength": 100, "minLength": 3}
        self.finds(
            "POST /login request.email has another maxLength: 100", "POST /login request.email has another minLength: 3"
        )

    def test_new_authentication_is_found(self):
        self.login["security"] = [{"AccessToken": []}]
        self.finds("POST /login now requires authentication")

    def test_the_same_request_in_other_words_breaks_nothing(self):
        alternative = copy.deepcopy(self.request)
        alternative["required"] = ["email", "phone"]
        self.new["components"]["schemas"]["Request"] = {"anyOf": [self.request, alternative]}
        self.finds()

    def test_a_higher_version_permits_changes(self):
        for old, new, permits in [
            ("1.2.3", "2.0.0", True),
            ("1.2.3", "1.3.0", False),
            ("1.2.3", "1.2.3", False),
            ("0.1.0", "0.2.0", True),
            ("0.1.0", "0.1.1", False),
            ("0.9.0", "1.0.0", True),
            ("2.0.0", "1.9.0", False),
        ]:
            with self.subTest(f"{old} -> {new}"):
                old, new = {"info": {"version": old}}, {"info": {"version": new}}
                self.assertEqual(permits_breaking_changes(old, new), permits)


if __name__ == "__main__":
    unittest.main()
