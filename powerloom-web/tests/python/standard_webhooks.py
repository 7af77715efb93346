"""Checks a message with the reference library of Standard Webhooks, and signs one with it."""

import json
import sys
from datetime import datetime, timezone

from standardwebhooks import Webhook, WebhookVerificationError

message = json.loads(sys.argv[1])
webhook = Webhook(message["secret"])
read = webhook.verify(message["body"], message["headers"])
try:
    webhook.verify(message["body"] + " ", message["headers"])
    refused_changed = False
except WebhookVerificationError:
    refused_changed = True

now = datetime.now(tz=timezone.utc)
body = json.dumps({"type": "answer"})
print(
    json.dumps(
        {
            "read": read,
            "refused_changed": refused_changed,
            "body": body,
            "timestamp": str(int(now.timestamp())),
            "signature": webhook.sign("msg_2", now, body),
        }
    )
)
