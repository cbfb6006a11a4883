/** The sample of the Mu whitepaper as design §8 shows it, and short ways to read stack files in tests. */
import { parseStack, type StackFile } from '../../src/stack/parse.ts';
import { StackError, type StackProblem } from '../../src/stack/problems.ts';
import type { StackKnowledge } from '../../src/stack/rules.ts';

export const sample = `name: SimpleApp
version: 0.1
services:
  - type: MuFunction
    name: simple_backend
    binary: https://storage-service/code.tar.gz     # a URL or a path; its hash is pinned in the manifest
    runtime: wasi1.0
    env: [ {VAR1: value1}, {VAR2: value2} ]          # a list of maps, or one map
  - type: MuGateway
    name: main_gw
    endpoints: { /login: { type: POST, route_to: simple_backend } }
  - { type: MuDb, name: main_db }
`;

/** The sample with an infrastructure of its own. */
export const withInfrastructure = `${sample}infrastructure:
  - name: west
    region: eu-west
    persist: true
    share: all
    attributes: { tier: gold, arch: amd64 }
    resources:
      - compute: { cpu: 0.25, memory: 256MiB, disk: 1GiB, gpu: { count: 1, vendor: nvidia } }
        price: 1.5
        count: 2
        collateral: 1000
    usage_limits:
      - { metric: function-invocations, max_price: 0.5, per: 1000, max_quantity_per_block: 100 }
    expected_usage:
      - { metric: function-invocations, quantity_per_block: 10 }
`;

export function read(text: string, known: StackKnowledge = {}): StackFile {
  return parseStack(text, { file: 'stack.yaml', ...known });
}

/** The problems of a text; an accepted one has none. */
export function problemsOf(text: string, known: StackKnowledge = {}): readonly StackProblem[] {
  try {
    read(text, known);
    return [];
  } catch (error) {
    if (error instanceof StackError) return error.problems;
    throw error;
  }
}

/** `line:column` of each problem. */
export function placesOf(text: string, known: StackKnowledge = {}): string[] {
  return problemsOf(text, known).map(({ line, column }) => `${line}:${column}`);
}
