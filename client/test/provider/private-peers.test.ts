import { isPrivateAddress, publicLookup, refusePrivate } from '../../src/provider/private-peers.ts';

describe('private peers', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.9.9.9',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fd00::1',
    'fe80::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    'no address',
  ])('%s is one', (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });

  it.each(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is none', (address) => {
    expect(isPrivateAddress(address)).toBe(false);
    expect(() => refusePrivate(address)).not.toThrow();
  });

  it('are refused by address and by name, where the name is looked up', async () => {
    expect(() => refusePrivate('127.0.0.1')).toThrow(/private address/);
    expect(() => refusePrivate('localhost')).not.toThrow();
    const looked = new Promise((done) => publicLookup('localhost', {}, (error) => done(error)));
    await expect(looked).resolves.toMatchObject({ message: expect.stringMatching(/private address/) });
  });
});
