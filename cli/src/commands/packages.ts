/** The protobuf package of a module. */

const standard: Readonly<Record<string, string>> = {
  consensus: 'cosmos.consensus.v1',
  upgrade: 'cosmos.upgrade.v1beta1',
};

export function packageOf(module: string): string {
  return standard[module] ?? `mu.${module}.v1`;
}
