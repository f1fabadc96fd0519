"""Asks for a few greetings and prints what comes."""

import os

import requests

for name in ("world", "nobody", "nobody", "nobody", "nobody"):
    answer = requests.get(f"{os.environ['WEB']}/hello/{name}")
    print(name, answer.status_code)
