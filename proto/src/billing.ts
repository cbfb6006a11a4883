// Made by `npm run generate` from the .proto files. Do not edit.
export * from './generated/mu/billing/v1/genesis.ts';
export * from './generated/mu/billing/v1/query.ts';
export * from './generated/mu/billing/v1/tx.ts';
export * from './generated/mu/billing/v1/types.ts';
