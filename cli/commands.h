/* commands.h - the commands of `tern`, in the order `tern help` shows them. A command joins with
 * one line here and one file cli/cmd_<name>.c that defines `const tn_command tn_cmd_<name>`. */
#ifndef TN_COMMANDS_H
#define TN_COMMANDS_H

#define TN_COMMANDS(X)                                                                             \
    X(index)                                                                                       \
    X(remove)                                                                                      \
    X(compact)                                                                                     \
    X(search)                                                                                      \
    X(ask)                                                                                         \
    X(serve)                                                                                       \
    X(eval)                                                                                        \
    X(questions)                                                                                   \
    X(train)                                                                                       \
    X(generate)                                                                                    \
    X(embed)                                                                                       \
    X(model)                                                                                       \
    X(convert)                                                                                     \
    X(tokenizer)                                                                                   \
    X(bench)                                                                                       \
    X(doctor)                                                                                      \
    X(help)                                                                                        \
    X(completion)

#endif
