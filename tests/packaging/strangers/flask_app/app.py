"""A web page that greets with what the greeter says."""

import os

import grpc
from flask import Flask

app = Flask(__name__)
channel = grpc.insecure_channel(os.environ["GREETER"])
say_hello = channel.unary_unary(
    "/helloworld.Greeter/SayHello", request_serializer=str.encode, response_deserializer=bytes.decode
)


@app.get("/hello/<name>")
def hello(name):
    return say_hello(name)


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
