// A WAGI program: the request comes as environment variables and stdin, the answer goes to stdout as headers, an empty
// line and a body; stderr is the log.
//
//   POST /login  {"name": "Ada"}   ->   {"message":"Hello, Ada!","visitor":"Ada"}
//
// The name may also come as ?name=Ada; without any it is "world".

import { fieldOf, quoted } from "./json";
import { parameterOf } from "./query";

/** More of a body than this is not read: a name is short. */
const maxBodyBytes = 64 * 1024;
const maxNameLength = 200;

function readBody(): string {
  const body = new Uint8Array(maxBodyBytes);
  const chunk = new ArrayBuffer(4096);
  let length = 0;
  while (length < maxBodyBytes) {
    const read = process.stdin.read(chunk);
    if (read <= 0) break;
    const taken = min(read, maxBodyBytes - length);
    memory.copy(body.dataStart + length, changetype<usize>(chunk), taken);
    length += taken;
  }
  return String.UTF8.decodeUnsafe(body.dataStart, length);
}

function variable(name: string): string {
  return process.env.has(name) ? process.env.get(name) : "";
}

function visitorName(): string {
  let name = fieldOf(readBody(), "name");
  if (name.length == 0) name = parameterOf(variable("QUERY_STRING"), "name");
  name = name.trim();
  if (name.length == 0) return "world";
  return name.length > maxNameLength ? name.substring(0, maxNameLength) : name;
}

const visitor = visitorName();
process.stderr.write("login of " + quoted(visitor) + "\n");
process.stdout.write("content-type: application/json\n\n");
process.stdout.write('{"message":' + quoted("Hello, " + visitor + "!") + ',"visitor":' + quoted(visitor) + "}\n");
