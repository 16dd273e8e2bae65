#include "command.h"

namespace spanforge::app {
namespace {

constexpr Command kCommands[] = {
    {"train", "fine-tune a model on question answering data",
     "--model DIR|ID --train F [--validation F] --output DIR [--config run.toml] [options]",
     "spanforge train --model bert-base-chinese --train train.json --validation validation.json "
     "--output run\n"
     "spanforge train --model run0 --train train.json --output run --resume-from-checkpoint last",
     run_train},
    {"data show", "print splits: features, number of rows, rows",
     "[--train F] [--validation F] [FILE ...] [--rows N] [--json]",
     "spanforge data show --train train.json --validation validation.json", run_data_show},
    {"data check", "prove every answer, and that files share nothing", "FILE ... [--json]",
     "spanforge data check train.json validation.json", run_data_check},
    {"data convert", "write a data file in another form", "FILE --to nested|flat|jsonl --output F",
     "spanforge data convert rows.jsonl --to nested --output squad.json", run_data_convert},
    {"tokenize", "text to token ids and offsets, as Hugging Face's tokenizers",
     "--model DIR|ID [--pair TEXT2] [--json] TEXT | --input F [--count]",
     "spanforge tokenize --model bert-base-chinese \"谁今天很高兴?\"\n"
     "spanforge tokenize --model run/trained --input texts.txt --count --json",
     run_tokenize},
    {"model new", "make a fresh model, its vocabulary trained on given text",
     "--like tiny|small|base|large --text F [--text F ...] --output DIR",
     "spanforge model new --like tiny --text text.txt --vocab-size 4000 --output fresh",
     run_model_new},
    {"model info", "architecture, parameters, memory", "--model DIR|ID [--json]",
     "spanforge model info --model run/trained", run_model_info},
    {"model convert", "write a model's weights as safetensors", "--model DIR|ID --output DIR",
     "spanforge model convert --model old --output new", run_model_convert},
    {"help", "the help of a command, or the reference page of all", "[COMMAND] [--markdown]",
     "spanforge help data check", run_help},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace spanforge::app
