using Microsoft.Extensions.Logging;
using Oriel.Desktops.Lifecycle;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Loop;

// What is asked of the machine, and what it does. A machine may take its time: the loop asks, and goes on; the answer is a message.
public sealed partial class Desktop
{
    /// <summary>Verbs for the machine, of which it gets one at a time.</summary>
    private readonly Queue<VerbMessage> _waiting = new();
    private Task _asking = Task.CompletedTask;
    private Task _telling = Task.CompletedTask;
    private bool _isAsked;

    private void AskNext()
    {
        while (!_isAsked && _waiting.TryDequeue(out var message))
        {
            var was = _view.State;
            if (!DesktopTransitions.TryNext(was, message.Verb, out _))
            {
                message.Done?.TrySetResult(new VerbResult(message.Verb, was, was, Accepted: false));
                continue;
            }

            _isAsked = true;
            if (message.Verb != DesktopVerb.Fork)
            {
                _pausedForIdle = message.ForIdle;
            }

            _asking = AskAsync(message, was);
        }
    }

    /// <summary>A desktop that is ending does nothing else any more.</summary>
    private void RefuseWaiting()
    {
        while (_waiting.TryDequeue(out var message))
        {
            message.Done?.TrySetResult(new VerbResult(message.Verb, _view.State, _view.State, Accepted: false));
        }
    }

    private async Task AskAsync(VerbMessage message, DesktopState was)
    {
        await Task.Yield();
        string? problem;
        try
        {
            problem = message.Verb switch
            {
                DesktopVerb.Pause => await Resources.Machine.FreezeAsync(true),
                DesktopVerb.Resume => await Resources.Machine.FreezeAsync(false),
                _ => await Resources.Machine.ForkAsync(message.Directory!),
            };

            // Its clock did not run meanwhile, also where it was not copied in the end.
            if (
                !Resources.Machine.HasEnded && (message.Verb == DesktopVerb.Fork || (message.Verb == DesktopVerb.Resume && problem is null))
            )
            {
                await Resources.Machine.TellTimeAsync();
            }
        }
        catch (Exception e)
        {
            // Its faults are the keeper's answers; whatever else breaks must not leave the desktop waiting for one.
            problem = e.Message;
        }

        if (!await PostAsync(new MachineDoneMessage(message, was, problem)))
        {
            message.Done?.TrySetResult(new VerbResult(message.Verb, was, was, Accepted: false, problem ?? "the server is stopping"));
        }
    }

    private async Task HandleMachineDoneAsync(MachineDoneMessage done)
    {
        _isAsked = false;
        try
        {
            await FollowMachineAsync();
        }
        finally
        {
            // Also where the change could not be stored: a caller waits for the answer.
            Settle(done);
            AskNext();
        }
    }

    private void Settle(MachineDoneMessage done)
    {
        if (done.Message.Verb is DesktopVerb.Fork or DesktopVerb.Resume)
        {
            Touch();
        }
        else if (done.Message.ForIdle && _view.State == DesktopState.Ready)
        {
            // Where it cannot be done it is tried again only after another such time.
            _logger.LogWarning(
                "Desktop {Desktop} is not paused although nobody uses it: {Problem}",
                Id,
                done.Problem ?? "its keeper does not report it"
            );
            Touch();
        }

        done.Message.Done?.TrySetResult(new VerbResult(done.Message.Verb, done.Was, _view.State, done.Problem is null, done.Problem));
    }

    private async Task HandleMachineAsync()
    {
        var halted = Resources.Machine.State == MachineState.Halted;
        var wasHalted = _view.Warnings.Any(warning => warning.Code == WarningCodes.Halted);
        await HandleWarningAsync(
            new WarningMessage(
                WarningCodes.Halted,
                halted
                    ? "The server's disk is full, so the desktop is halted: what it writes waits, and nothing is lost. Make room on the server; it goes on by itself."
                    : null
            )
        );
        await FollowMachineAsync();
        if (wasHalted && Resources.Machine.State == MachineState.Running)
        {
            TellTime();
        }
    }

    /// <summary>A desktop is paused when its machine is, as the keeper last reported, whatever became of the command.</summary>
    private async Task FollowMachineAsync()
    {
        if (_isAsked)
        {
            // Once that is answered.
            return;
        }

        DesktopVerb? verb = (_view.State, Resources.Machine.State) switch
        {
            (DesktopState.Ready, MachineState.Paused or MachineState.Saved) => DesktopVerb.Pause,
            (DesktopState.Paused, MachineState.Running or MachineState.Halted) => DesktopVerb.Resume,
            _ => null,
        };
        if (verb is { } happened && DesktopTransitions.TryNext(_view.State, happened, out var next))
        {
            Enter(next, new VerbMessage(happened, null, null, null));
            await SaveAsync();
        }
    }

    /// <summary>Its clock did not run meanwhile.</summary>
    private void TellTime()
    {
        var before = _telling;
        _telling = TellAsync();

        async Task TellAsync()
        {
            await before;
            await Resources.Machine.TellTimeAsync();
        }
    }

    /// <summary>The keeper has reported another state of the machine.</summary>
    private sealed record MachineMessage : Message;

    private sealed record MachineDoneMessage(VerbMessage Message, DesktopState Was, string? Problem) : Message;
}
