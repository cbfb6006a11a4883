// Made by `npm run generate` from the .proto files. Do not edit.
export * from './generated/mu/app/v1/app.ts';
