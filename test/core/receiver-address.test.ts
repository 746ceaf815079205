import { expect, test } from "bun:test";
import { addressProblem } from "../../src/core/receiver-address.ts";

const strict = { allowPrivate: false };
const lenient = { allowPrivate: true };

test.each(["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"])("%s is a receiver's", (address) => {
  expect(addressProblem(address, strict)).toBeUndefined();
});

test.each([
  "127.0.0.1",
  "127.8.8.8",
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "::1",
  "fd12::1",
  "::ffff:10.0.0.1",
])("%s is one only where private addresses are allowed", (address) => {
  expect(addressProblem(address, strict)).toContain("private");
  expect(addressProblem(address, lenient)).toBeUndefined();
});

test.each([
  "169.254.169.254",
  "169.254.0.1",
  "fe80::1",
  "fe80::1%eth0",
  "::ffff:169.254.169.254",
  "64:ff9b::a9fe:a9fe",
  "fd00:ec2::254",
  "100.100.100.200",
  "168.63.129.16",
  "0.0.0.0",
  "0.1.2.3",
  "::",
  "224.0.0.1",
  "255.255.255.255",
  "ff02::1",
  "2002:7f00:1::",
  "2001::1",
  "192.0.2.1",
  "not an address",
])("%s is never one", (address) => {
  for (const rules of [strict, lenient]) expect(addressProblem(address, rules)).toBeString();
});
