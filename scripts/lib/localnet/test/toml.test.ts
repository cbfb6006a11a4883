import { describe, expect, test } from '@jest/globals';
import { editToml } from '../toml.ts';

const file = `# moniker = "comment"
moniker = "vm"

[rpc]
# where it listens
laddr = "tcp://127.0.0.1:26657"

[p2p]
laddr = "tcp://0.0.0.0:26656"
pex = true
`;

describe('editToml', () => {
  test('changes values in their sections and nothing else', () => {
    const edited = editToml(file, { moniker: 'a "node"', 'p2p.laddr': 'tcp://127.0.0.1:1', 'p2p.pex': false });
    expect(edited).toBe(
      file
        .replace('moniker = "vm"', 'moniker = "a \\"node\\""')
        .replace('tcp://0.0.0.0:26656', 'tcp://127.0.0.1:1')
        .replace('pex = true', 'pex = false'),
    );
  });

  test('refuses a key that the file has not, or has in another section', () => {
    expect(() => editToml(file, { pex: false })).toThrow('the config has no pex');
    expect(() => editToml(file, { 'p2p.laddr': 'x', 'rpc.pprof_laddr': '' })).toThrow('no rpc.pprof_laddr');
  });
});
