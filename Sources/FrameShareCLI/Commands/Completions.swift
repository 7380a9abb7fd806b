import ArgumentParser
import FrameCommand

/// `frameshare completions`
struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a script that completes this command in your shell.",
        discussion: """
            bash, for you alone:
              frameshare completions bash > ~/.local/share/bash-completion/completions/frameshare
            zsh, into a folder of $fpath:
              frameshare completions zsh > ~/.zfunc/_frameshare
            fish:
              frameshare completions fish > ~/.config/fish/completions/frameshare.fish

            'frameshare --generate-completion-script SHELL' does the same.
            """
    )

    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash
        case zsh
        case fish
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        Terminal.output.writeAsIs(FrameShareCommand.completionScript(for: kind) + "\n")
    }
}
