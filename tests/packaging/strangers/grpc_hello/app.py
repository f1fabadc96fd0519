"""Hello world over gRPC: one method, one name that nobody answers for."""

import os
from concurrent.futures import ThreadPoolExecutor

import grpc


def say_hello(name, context):
    if name == "nobody":
        context.abort(grpc.StatusCode.UNAVAILABLE, "nobody is in")
    return f"Hello, {name}!"


def serve():
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    method = grpc.unary_unary_rpc_method_handler(
        say_hello, request_deserializer=bytes.decode, response_serializer=str.encode
    )
    greeter = grpc.method_handlers_generic_handler("helloworld.Greeter", {"SayHello": method})
    server.add_generic_rpc_handlers((greeter,))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve()
