/** Cast: the same values stored in another precision. Kernels read both, so it is for what is stored for long. */
import { COPY, defineOp, runMap, type Tensor } from "../tensor/index.ts";

/** `x` stored as f32 or f16; beyond ±65,504, f16 holds ±∞. Throws `DeviceError` where the adapter lacks f16. */
export const cast = defineOp("cast", {
  forward(x: Tensor, dtype: "f32" | "f16") {
    x.device.checkDtype("cast", dtype);
    return { output: runMap(COPY, [x], x.shape, { dtype }), saved: x.dtype };
  },
  backward: (dy, dtype) => [runMap(COPY, [dy], dy.shape, { dtype })],
});
