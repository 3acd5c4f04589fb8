import { openDevice } from "../src/tensor/index.ts";
import { profileTable } from "./profile.ts";

const device = await openDevice();
try {
  console.log(`${device.name} (${device.adapter.kind}, variant ${device.variant})`);
  for (const network of ["ConvNet", "MLP"] as const) console.log(`\n${await profileTable(device, network, 15)}`);
} finally {
  await device.close();
}
