#include "command.h"

namespace spanforge::app {
namespace {

// docs/hub.md explains these.
constexpr std::string_view kHubSettings =
    "  HF_ENDPOINT      another hub: a mirror, such as https://hf-mirror.com\n"
    "  HF_HUB_OFFLINE   1: use the cache alone, never ask a hub\n"
    "  HF_HOME          directory of cache and token [~/.cache/huggingface]\n"
    "  HF_HUB_CACHE     directory of the cache [HF_HOME/hub]\n"
    "  HF_TOKEN         token for private and gated models (also the file HF_HOME/token)\n"
    "  https_proxy      proxy, such as http://HOST:PORT; no_proxy: hosts that need none\n"
    "  SSL_CERT_FILE    certificates to trust, if a company's firewall reads TLS\n"
    "  HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT   seconds without an answer [10]\n"
    "\n"
    "A machine without a network: download on another one, pack the model's folder with\n"
    "  tar -C ~/.cache/huggingface/hub -cf model.tar models--bert-base-chinese\n"
    "unpack it there with\n"
    "  mkdir -p ~/.cache/huggingface/hub && tar -C ~/.cache/huggingface/hub -xf model.tar\n"
    "and set HF_HUB_OFFLINE=1.\n";

// docs/parallel.md explains these.
constexpr std::string_view kRankSettings =
    "  RANK, WORLD_SIZE   which of how many processes this is (torchrun, Kubeflow, a shell)\n"
    "  OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE   the same (Open MPI's mpirun)\n"
    "  PMI_RANK, PMI_SIZE                           the same (MPICH's and Intel's mpirun)\n"
    "  SLURM_PROCID, SLURM_STEP_NUM_TASKS           the same (Slurm's srun)\n"
    "  REDISCLI_AUTH      password of the Redis server in --rendezvous redis://...\n";

constexpr Command kCommands[] = {
    {"train", "fine-tune a model on question answering data",
     "--model DIR|ID --train F [--validation F] --output DIR [--config run.toml] [options]",
     "spanforge train --model bert-base-chinese --train train.json --validation validation.json "
     "--output run\n"
     "spanforge train --model run0 --train train.json --output run --resume-from-checkpoint last",
     run_train, true, kRankSettings},
    {"evaluate", "score a model's answers, or a file of predictions",
     "(--model DIR|ID | --predictions F [--null-odds F]) --data F [--predictions-dir DIR] [--json]",
     "spanforge evaluate --model run/trained --data validation.json --predictions-dir out\n"
     "spanforge evaluate --predictions out/eval_predictions.json --data validation.json --json",
     run_evaluate, true, kRankSettings},
    {"ask", "answer questions about a text",
     "--model DIR|ID (--context TEXT | --context-file F | --input F.jsonl) [--question Q ...] "
     "[--top-k K]",
     "spanforge ask --model run/trained --context \"小艾咪正在钓鱼。\" --question \"谁在钓鱼?\"\n"
     "spanforge ask --model run/trained --input questions.jsonl --json --top-k 3\n"
     "cat questions.jsonl | spanforge ask --model run/trained --input - --json --on-bad-row skip",
     run_ask, true, kRankSettings},
    {"serve", "answer questions over HTTP, until SIGTERM",
     "--model DIR|ID | --model NAME=DIR|ID ... [--host 127.0.0.1] [--port 8080] [--token-file F]",
     "spanforge serve --model run/trained\n"
     "spanforge serve --model news=run/trained --model legal=run2/trained --port 9000",
     run_serve, true},
    {"health", "ask a running server whether it is ready, as a container's health check",
     "[--host 127.0.0.1] [--port 8080] [--tls] [--timeout 3]", "spanforge health --port 8080",
     run_health},
    {"data show", "print splits: features, number of rows, rows",
     "[--train F] [--validation F] [FILE ...] [--rows N] [--json]",
     "spanforge data show --train train.json --validation validation.json", run_data_show},
    {"data check", "check every answer, and that files share nothing",
     "FILE ... [--model DIR|ID] [--json]", "spanforge data check train.json validation.json",
     run_data_check},
    {"data fix", "repair answers if only one repair is possible, into a new file, and report each",
     "FILE --output NEW [--report F.jsonl] [--similar [--min-f1 0.8]] [--trim] [--json]",
     "spanforge data fix train.json --output fixed.json --report changes.jsonl", run_data_fix},
    {"data stats", "numbers: questions, contexts, lengths, forms of question",
     "FILE ... [--model DIR|ID] [--json]",
     "spanforge data stats train.json --model bert-base-chinese", run_data_stats},
    {"data split", "split a file into training and validation data that share no context",
     "FILE --validation 0.1 --by context --output DIR",
     "spanforge data split all.json --validation 0.1 --by context --seed 42 --output split",
     run_data_split},
    {"data labels", "print each window's label decoded back, next to its source",
     "--model DIR|ID FILE ... [--on-bad-answer error|drop] [--json]",
     "spanforge data labels --model bert-base-chinese train.json", run_data_labels},
    {"data baseline", "the scores of answering without learning",
     "--train F [--validation] F [--json]",
     "spanforge data baseline --train train.json --validation validation.json", run_data_baseline},
    {"data convert", "write a data file in another form", "FILE --to nested|flat|jsonl --output F",
     "spanforge data convert rows.jsonl --to nested --output squad.json", run_data_convert},
    {"tokenize", "text to token ids and offsets, as Hugging Face's tokenizers",
     "--model DIR|ID [--pair TEXT2] [--json] TEXT | --input F [--count]",
     "spanforge tokenize --model bert-base-chinese \"谁今天很高兴?\"\n"
     "spanforge tokenize --model run/trained --input texts.txt --count --json",
     run_tokenize},
    {"model new", "make a new model; its vocabulary is trained on text or taken from a file",
     "--like tiny|small|base|large (--text F [--text F ...] | --vocab F) --output DIR",
     "spanforge model new --like tiny --text text.txt --vocab-size 4000 --output fresh\n"
     "spanforge model new --like large --vocab vocab.txt --output fresh-large",
     run_model_new},
    {"model info", "architecture, parameters, memory", "--model DIR|ID [--json]",
     "spanforge model info --model run/trained", run_model_info},
    {"model convert", "write a model's weights as safetensors, or as int8 for answering",
     "--model DIR|ID --output DIR [--int8 --calibrate F --validation F]",
     "spanforge model convert --model old --output new\n"
     "spanforge model convert --model run/trained --output run/int8 --int8 --calibrate train.json "
     "--validation validation.json",
     run_model_convert, true},
    {"checkpoint verify", "check by their manifests that checkpoints and trained models are whole",
     "DIR ... [--json]", "spanforge checkpoint verify run run/checkpoint-500",
     run_checkpoint_verify},
    {"download", "fetch a model of the Hugging Face hub into its cache", "ID [--json]",
     "spanforge download bert-base-chinese\n"
     "HF_ENDPOINT=https://hf-mirror.com spanforge download bert-base-chinese",
     run_download, false, kHubSettings},
    {"doctor", "this machine: processor, libraries, threads, memory, cache", "[--json]",
     "spanforge doctor", run_doctor},
    {"help", "the help of a command; reference page, manual pages and completion of all",
     "[COMMAND] | --markdown | --man-pages DIR | --completion bash|zsh|fish",
     "spanforge help data check\n"
     "spanforge help --completion bash > ~/.local/share/bash-completion/completions/spanforge",
     run_help},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace spanforge::app
