/** Stack files for the tests, written where a test wants them. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const example = join(import.meta.dirname, '..', '..', 'examples', 'login', 'build', 'simple_backend.wasm');

/** The login example with an infrastructure of its own, which opens a new order when its lease is lost. */
export function writePersistentStack(folder: string): string {
  return writeStack(folder, 'cpu: 100m', 'persist: true');
}

/** The same for one provider alone. @param cpu thousandths of a core */
export function writeChosenStack(folder: string, provider: string, cpu: number): string {
  return writeStack(folder, `cpu: ${cpu}m`, `provider: ${provider}`);
}

function writeStack(folder: string, cpu: string, term: string): string {
  mkdirSync(folder, { recursive: true });
  copyFileSync(example, join(folder, 'simple_backend.wasm'));
  const file = join(folder, 'stack.yaml');
  writeFileSync(
    file,
    `name: Persistent
version: 0.1
services:
  - { type: MuFunction, name: simple_backend, binary: simple_backend.wasm, runtime: wasi1.0 }
  - { type: MuGateway, name: main_gw, endpoints: { /login: { type: POST, route_to: simple_backend } } }
infrastructure:
  - name: main
    region: local
    ${term}
    resources:
      - { compute: { ${cpu}, memory: 128MiB, disk: 256MiB }, price: 50, collateral: 4000, count: 1 }
    usage_limits:
      - { metric: function-invocations, max_price: 10, max_quantity_per_block: 100 }
      - { metric: gateway-requests, max_price: 10, max_quantity_per_block: 100 }
`,
  );
  return file;
}
