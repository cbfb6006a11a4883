/** What several parts of a stack file are made of: kinds of services, names, what an instance takes. */
import { count, cpu, list, record, size, text } from './fields.ts';

const mib = 1024n * 1024n;
const gib = 1024n * mib;
const tib = 1024n * gib;

/** The types of services by the name under which providers offer them. */
export const serviceKinds = {
  MuFunction: 'mu-function',
  MuGateway: 'mu-gateway',
  MuDb: 'mu-db',
  MuStore: 'mu-store',
  Workload: 'mu-workload',
} as const;

export type ServiceType = keyof typeof serviceKinds;

/** Names of services and infrastructures: they become labels of host names, so no capitals. */
export const namePattern = /^[a-z][a-z0-9_-]{0,63}$/;
const nameAllowed = 'a lower-case letter, then lower-case letters, digits, - and _, at most 64';
/** A name. @param what it is the name of, for errors */
export const name = (what: string) => text(what, nameAllowed, namePattern);

/** The infrastructures in which a service runs; all of them where it names none. */
export const infrastructureNames = list(
  'the infrastructures of a service',
  name('the name of an infrastructure'),
  16,
  1,
).optional();

const word = (what: string) =>
  text(what, 'lower-case letters, digits, . / and -, at most 64', /^[a-z0-9][a-z0-9./-]{0,63}$/);

/** What one instance takes. */
export const compute = record('compute', {
  cpu: cpu(),
  memory: size('a memory size', mib, 16n * tib),
  disk: size('a disk size', 0n, 1024n * tib).optional(),
  gpu: record('a gpu', {
    count: count('a number of gpus', 1, 64),
    vendor: word('a vendor').optional(),
    model: word('a model').optional(),
  }).optional(),
});
