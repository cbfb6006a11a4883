import { availableParallelism } from 'node:os';
import type { Config } from 'jest';

/** What every kind of test shares: TypeScript by swc as ES modules, and a set-up that asserts its own preconditions. */
const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  transformIgnorePatterns: ['/node_modules/'],
  setupFiles: ['<rootDir>/scripts/jest-setup.ts'],
  modulePathIgnorePatterns: ['/build/'],
} satisfies Config;

export default {
  // More processes than processors, since tests with containers wait for the engine most of the time; and a fresh one where a
  // test has left much behind: modules of ES stay in memory for as long as their process lives, and in one process for all
  // tests the collector does half of the work in the end.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  workerIdleMemoryLimit: '1GB',
  testSequencer: './scripts/jest-sequencer.ts',
  // Against tests that hang, not a measure of speed: on a machine that is busy with others a second becomes ten.
  testTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/e2e/'],
    },
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/e2e/test/**/*.test.ts'] },
  ],
} satisfies Config;
