"""A small shop with Flask. Run it with: gunicorn --workers 4 shop:app"""

import os
from logging.config import dictConfig

from flask import Flask

dictConfig(
    {
        "version": 1,
        "formatters": {"default": {"format": "[%(asctime)s] %(levelname)s in %(module)s: %(message)s"}},
        "handlers": {
            "file": {
                "class": "jsonl_audit.handlers.AuditHandler",  # it was: logging.handlers.RotatingFileHandler
                "filename": "shop.jsonl",
                "maxBytes": 20_000,
                "backupCount": 1_000,
                "encoding": "utf-8",
                "formatter": "default",
            }
        },
        "root": {"level": "INFO", "handlers": ["file"]},
    }
)

app = Flask(__name__)


@app.route("/orders/<int:number>", methods=["POST"])
def order(number: int) -> str:
    app.logger.info("order %d placed", number, extra={"audit_type": "order.placed", "outcome": "success"})
    return f"{os.getpid()}\n"
