"""optimizer.pt of a checkpoint that Hugging Face's Trainer might have left, by each optimiser."""
from cases_run import RESUME
from forge import pickled, split_safetensors, torch_file, torch_tensor
from table import MODEL, USAGE, case

OURS = ("spanforge_manifest.json", "spanforge_state.json", "spanforge.json", "training_args.json")
SETTINGS = {
    "adamw_torch": {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False, "maximize": False},
    "adafactor": {"eps": (1e-30, 1e-3), "clip_threshold": 1.0, "decay_rate": -0.8, "beta1": None,
                  "scale_parameter": False, "relative_step": False, "warmup_init": False},
    "sgd": {"momentum": 0, "dampening": 0, "nesterov": False, "maximize": False},
}
STEPS = 4


def tensor(*shape):
    count = 1
    for extent in shape:
        count *= extent
    strides = [0] * len(shape)
    step = 1
    for i in reversed(range(len(shape))):
        strides[i], step = step, step * shape[i]
    return torch_tensor(shape, strides, count=100_000)


def entry(optim, shape):
    if optim == "adamw_torch":
        return {"step": STEPS, "exp_avg": tensor(*shape), "exp_avg_sq": tensor(*shape)}
    if len(shape) == 1:
        return {"step": STEPS, "exp_avg_sq": tensor(*shape), "RMS": tensor()}
    return {"step": STEPS, "exp_avg_sq_row": tensor(shape[0]), "exp_avg_sq_col": tensor(shape[1]), "RMS": tensor()}


def sound(directory, optim):
    """What the Trainer writes, with zeros for the numbers; parameters that decay come first."""
    header, _ = split_safetensors(directory / "m/model.safetensors")
    header.pop("__metadata__", None)
    decays = {name: not (name.endswith("bias") or "LayerNorm" in name) for name in header}
    # Layers are alike and the order within a module is the model's: only shapes matter here.
    names = [n for n in module_order(header) if decays[n]] + [n for n in module_order(header) if not decays[n]]
    first = sum(decays.values())
    groups = [{**SETTINGS[optim], "weight_decay": 0.0, "lr": 1e-5, "params": list(range(*span))}
              for span in ((0, first), (first, len(names)))]
    state = {} if optim == "sgd" else {i: entry(optim, header[n]["shape"]) for i, n in enumerate(names)}
    return {"state": state, "param_groups": groups}


def module_order(header):
    parts = ["word_embeddings", "position_embeddings", "token_type_embeddings", "embeddings.LayerNorm"]
    layers = 1 + max(int(n.split(".layer.")[1].split(".")[0]) for n in header if ".layer." in n)
    for layer in range(layers):
        parts += [f"layer.{layer}.{part}." for part in (
            "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
            "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")]
    parts.append("qa_outputs")
    return [name for part in parts for kind in ("weight", "bias") for name in header if part in name and name.endswith(kind)]


def state(name, optim, change, *says, asked=None, exit=MODEL):
    def make(directory):
        checkpoint = directory / "run/checkpoint-4"
        for file in OURS:
            (checkpoint / file).unlink()
        value = sound(directory, optim)
        change(value)
        (checkpoint / "optimizer.pt").write_bytes(torch_file(pickled(value) + b".", [(b"0", bytes(400_000))]))
    case("optimizer/" + name, f"{RESUME} --optim {asked or optim}", exit, list(says), make, run=True)


def group(**values):
    return lambda value: [g.update(values) for g in value["param_groups"]]


def at(index, **values):
    return lambda value: value["state"][index].update(values)


FILE = r"checkpoint-4/optimizer\.pt: "
for known in SETTINGS:
    state(f"sound-{known}", known, lambda value: None, exit=0)
state("adafactor-for-adamw", "adafactor", lambda value: None, "--optim: ", "adafactor", asked="adamw_torch", exit=USAGE)
state("sgd-for-adafactor", "sgd", lambda value: None, "--optim: ", "sgd", asked="adafactor", exit=USAGE)
state("adamw-for-sgd", "adamw_torch", lambda value: None, "--optim: ", "adamw_torch", asked="sgd", exit=USAGE)
state("of-no-known-kind", "sgd", lambda value: [g.pop("momentum") for g in value["param_groups"]], FILE, "param_groups")
state("groups-a-number", "adafactor", lambda value: value.update(param_groups=3), FILE, "param_groups")
state("one-group", "adafactor", lambda value: value["param_groups"].pop(), FILE, "two groups")
state("a-group-a-number", "adafactor", lambda value: value["param_groups"].append(value["param_groups"].pop() and 3), FILE)
state("group-too-short", "sgd", lambda value: value["param_groups"][0]["params"].pop(), FILE, "group 0")
state("adamw-amsgrad", "adamw_torch", group(amsgrad=True), FILE, "amsgrad")
state("adafactor-relative-step", "adafactor", group(relative_step=True), FILE, "relative_step")
state("adafactor-other-eps", "adafactor", group(eps=(1e-30, 1e-3, 0.5)), FILE, "eps")
state("adafactor-beta1", "adafactor", group(beta1=0.9), FILE, "beta1")
state("sgd-momentum", "sgd", group(momentum=0.9), FILE, "momentum")
state("sgd-momentum-buffer", "sgd", lambda value: value["state"].update({0: {"momentum_buffer": tensor(2)}}), FILE,
      "momentum_buffer")
state("adamw-max-exp-avg-sq", "adamw_torch", at(3, max_exp_avg_sq=tensor(2)), FILE, "parameter 3", "max_exp_avg_sq")
state("adafactor-first-moment", "adafactor", at(3, exp_avg=tensor(2)), FILE, "parameter 3", "exp_avg")
state("adafactor-not-factored", "adafactor", at(3, exp_avg_sq=tensor(2)), FILE, "parameter 3", "exp_avg_sq")
state("adafactor-row-too-long", "adafactor", at(3, exp_avg_sq_row=tensor(4000)), FILE, "exp_avg_sq_row of parameter 3")
state("adafactor-row-a-number", "adafactor", at(3, exp_avg_sq_row=0.5), FILE, "exp_avg_sq_row of parameter 3")
state("adafactor-rms-a-vector", "adafactor", at(3, RMS=tensor(1)), FILE, "RMS of parameter 3")
state("adafactor-other-steps", "adafactor", at(3, step=5), FILE, "parameter 3 has seen 5 steps")
state("adafactor-step-a-text", "adafactor", at(3, step="4"), FILE, "parameter 3 has seen no steps")
state("adafactor-parameter-missing", "adafactor", lambda value: value["state"].pop(3), FILE, "parameter 3")
state("adafactor-entry-a-list", "adafactor", lambda value: value["state"].update({3: [1]}), FILE, "parameter 3")
state("sgd-entry-a-number", "sgd", lambda value: value["state"].update({0: 1}), FILE, "parameter 0")
state("sgd-state-a-list", "sgd", lambda value: value.update(state=[1]), FILE, "state")
state("adafactor-key-a-number", "adafactor", lambda value: value["state"][3].update({7: 1}), FILE, "parameter 3")
state("adafactor-stride-over-the-end", "adafactor",
      at(3, exp_avg_sq_row=torch_tensor([4], [100_000], count=100_000)), FILE)
