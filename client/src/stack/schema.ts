/**
 * The schema of a stack file (design §8); its parts stand in the …-schema.ts. What concerns several fields at once stands in
 * rules.ts.
 */
import * as z from 'zod';
import { type compute, serviceKinds } from './common-schema.ts';
import { field, list, record, text } from './fields.ts';
import { infrastructure } from './infrastructure-schema.ts';
import { muDb, muFunction, muGateway, muStore } from './mu-services-schema.ts';
import { say, shown } from './problems.ts';
import { workload } from './workload-schema.ts';

const serviceTypes = Object.keys(serviceKinds).join(', ');
const service = z.discriminatedUnion('type', [muFunction, muGateway, muDb, muStore, workload], {
  error: (issue) => {
    const input = issue.input as { type?: unknown } | undefined;
    if (issue.code !== 'invalid_union')
      return say(`${shown(input)} is not a service`, `a map with a type: ${serviceTypes}`);
    const type = input?.type;
    return say(type === undefined ? 'type is missing' : `${shown(type)} is not a type of service`, serviceTypes);
  },
});

/** The whole file. */
export const stackSchema = record('a stack file', {
  name: text(
    'the name of the stack',
    'a letter or digit, then letters, digits, space and ._-, at most 64',
    /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/,
  ),
  version: field('a version', 'a number like 0.1 or a text of letters, digits and .+-, at most 64', (value) => {
    const written = typeof value === 'number' ? String(value) : value;
    return typeof written === 'string' && /^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$/.test(written) ? written : undefined;
  }),
  services: list('services', service, 256, 1),
  infrastructure: list('infrastructure', infrastructure, 16, 1).optional(),
});

type Parsed = z.infer<typeof stackSchema>;
/** A stack file as the schema reads it: sizes in bytes, times in milliseconds, prices as Dec, processors in thousandths. */
export interface Stack extends Parsed {}
export type Service = Stack['services'][number];
export type FunctionService = Extract<Service, { type: 'MuFunction' }>;
export type GatewayService = Extract<Service, { type: 'MuGateway' }>;
export type WorkloadService = Extract<Service, { type: 'Workload' }>;
export type StackInfrastructure = NonNullable<Stack['infrastructure']>[number];
export type StackCompute = z.infer<typeof compute>;
