/** The order of test files: those that take longest first, so that none of them is left alone at the end. */
import TestSequencer from '@jest/test-sequencer';

// Its types are those of a CommonJS module, the module that is loaded is an ES one.
const Base = TestSequencer as unknown as typeof TestSequencer.default;
type Test = Parameters<InstanceType<typeof Base>['sort']>[0][number];

/** Of what takes half a minute or more, the longest first. */
const long = [
  'e2e/test/container-faults',
  'e2e/test/localnet',
  'e2e/test/demo.',
  'e2e/test/demo-containers',
  'e2e/test/tenant-containers',
  'e2e/test/tenant.',
  'scripts/simulate-market/test/short',
  'workloads/container/faults',
  'workloads/container/life',
  'workloads/container-driver',
  'gateway/gateway.test',
  'workloads/wasm-driver',
  'snapshots/fuzz',
  'workloads/container/images',
  'network/reach',
  'workloads/container/restrictions',
];

const rank = ({ path }: Test): number => {
  const at = long.findIndex((part) => path.includes(part));
  return at < 0 ? long.length : at;
};

export default class LongestFirst extends Base {
  override async sort(tests: Test[]): Promise<Test[]> {
    // The rest by what jest knows of them: how long they took, or how large they are.
    return [...(await super.sort(tests))].sort((a, b) => rank(a) - rank(b));
  }
}
