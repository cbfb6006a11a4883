/** An engine over the test application in a folder of its own, started again and again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseGenesis } from '../../src/engine/genesis.ts';
import { publicKeyToAmino } from '../../src/engine/keys.ts';
import { loadOrCreateValidator } from '../../src/engine/private-validator.ts';
import { SoloEngine, type SoloEngineOptions } from '../../src/engine/solo-engine.ts';
import { KvStoreApp } from './kvstore-app.ts';

export const genesisMs = Date.parse('2026-01-01T00:00:00Z');

export interface Node {
  engine: SoloEngine;
  app: KvStoreApp;
}

/** A folder, and nodes on it. */
export class Home {
  readonly path = mkdtempSync(join(tmpdir(), 'mu-engine-'));
  readonly #nodes: Node[] = [];

  /** A node that has not started; the same files each time. */
  node(options: Partial<SoloEngineOptions> = {}, genesis: Record<string, unknown> = {}): Node {
    const validator = loadOrCreateValidator(this.validatorPaths, () => new Uint8Array(32).fill(7));
    const app = new KvStoreApp(join(this.path, 'app.json'));
    const doc = {
      genesis_time: '2026-01-01T00:00:00Z',
      chain_id: 'kv-1',
      validators: [{ pub_key: publicKeyToAmino({ ed25519: validator.publicKey }), power: '10', name: 'solo' }],
      app_state: { greeting: 'hello' },
      ...genesis,
    };
    const engine = new SoloEngine({
      app,
      genesis: parseGenesis(doc),
      dataPath: join(this.path, 'data'),
      validator,
      blocks: { mode: 'manual' },
      clock: () => genesisMs,
      ...options,
    });
    const node = { engine, app };
    this.#nodes.push(node);
    return node;
  }

  async started(options: Partial<SoloEngineOptions> = {}, genesis: Record<string, unknown> = {}): Promise<Node> {
    const node = this.node(options, genesis);
    await node.engine.start();
    return node;
  }

  get validatorPaths(): { key: string; state: string } {
    return { key: join(this.path, 'priv_validator_key.json'), state: join(this.path, 'priv_validator_state.json') };
  }

  async remove(): Promise<void> {
    for (const { engine } of this.#nodes) await engine.stop();
    rmSync(this.path, { recursive: true, force: true });
  }
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
