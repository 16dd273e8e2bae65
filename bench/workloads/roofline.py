"""What the machine can do: the scale for every other figure."""
from harness import Program, Table, ours

WHAT = "the machine's limits: GEMM in f32 and bf16, memory bandwidth; all threads"


def run(context):
    program = Program(ours("roofline", context.threads, int(context.quick)))
    result = program.run()
    program.close()
    rows = [[f"{g['m']} x {g['k']} x {g['n']}", f"{g['f32']:.0f}", f"{g['bf16']:.0f}"] for g in result["gemm"]]
    note = (f"Instruction set {result['instruction_set']}, {result['threads']} threads; copying 1 GiB reads and "
            f"writes {result['copy_gb_per_s']:.1f} GB/s. Best of many repetitions.")
    return [Table("Matrix product M x K x N, GFLOP/s", ["shape", "f32", "bf16"], rows, [note])], result
