// node examples/node/mlp.js   (after `npm ci && npm run build`)
import { trainMlp } from "../mlp.js";

const { adapter, accuracy, losses } = await trainMlp(({ epoch, loss, validation }) => {
  console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(4)}, test accuracy ${validation.accuracy.toFixed(4)}`);
});
console.log(`${adapter}: test accuracy ${accuracy.toFixed(4)}`);
console.log(JSON.stringify({ losses }));
