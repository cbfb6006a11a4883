// Without --experimental-vm-modules jest would run the tests as CommonJS and hide what only ES modules show.
if (
  !process.execArgv.concat(process.env['NODE_OPTIONS'] ?? '').some((flag) => flag.includes('--experimental-vm-modules'))
) {
  throw new Error(
    'run the tests with `npm run unit`, `npm run e2e` or scripts/test: NODE_OPTIONS=--experimental-vm-modules is missing',
  );
}
