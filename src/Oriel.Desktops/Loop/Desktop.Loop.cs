using Microsoft.Extensions.Logging;
using Oriel.Desktops.Events;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Store;
using Oriel.Protocol;

namespace Oriel.Desktops.Loop;

// The owner loop: the only writer of the desktop's state.
public sealed partial class Desktop
{
    private async Task RunAsync()
    {
        try
        {
            await SaveAsync();
        }
        catch (Exception e)
        {
            // A desktop that the next server could not find is not begun.
            _logger.LogError(e, "Desktop {Desktop} could not be stored", Id);
            Fail(DesktopReason.OfFault(e, "The desktop could not be stored") with { Step = StepNames.Store });
        }

        _stored.TrySetResult();
        SetTimer();
        await foreach (var message in _inbox.Reader.ReadAllAsync())
        {
            try
            {
                await HandleAsync(message);
            }
            catch (Exception e)
            {
                // The loop must outlive any single message; what it could not save it saves with the next change.
                _logger.LogError(e, "Desktop {Desktop}: {Message} failed", Id, message.GetType().Name);
                (message as VerbMessage)?.Done?.TrySetException(e);
            }

            SetTimer();

            if (_view.State == DesktopState.Destroyed)
            {
                _inbox.Writer.TryComplete();
                _destroyed.TrySetResult();
            }
        }
    }

    private Task HandleAsync(Message message) =>
        message switch
        {
            VerbMessage verb => HandleVerbAsync(verb),
            StepMessage step => HandleStepAsync(step.Step),
            PolicyMessage policy => HandlePolicyAsync(policy),
            SizeMessage => HandleSizeAsync(),
            MachineMessage => HandleMachineAsync(),
            MachineDoneMessage done => HandleMachineDoneAsync(done),
            TimeMessage => HandleTimeAsync(),
            WarningMessage warning => HandleWarningAsync(warning),
            TakedownMessage => HandleTakedownAsync(),
            ClaimMessage claim => HandleClaimAsync(claim),
            _ => SaveAsync(),
        };

    private async Task HandleVerbAsync(VerbMessage message)
    {
        if (message.Verb is DesktopVerb.Pause or DesktopVerb.Resume or DesktopVerb.Fork)
        {
            _waiting.Enqueue(message);
            AskNext();
            return;
        }

        var was = _view.State;
        var accepted = DesktopTransitions.TryNext(was, message.Verb, out var next);
        if (accepted)
        {
            await StoreReadinessAsync(message, next);
            Enter(next, message);
            await SaveAsync();
        }

        message.Done?.TrySetResult(new VerbResult(message.Verb, was, next, accepted));
        await FollowMachineAsync();
    }

    /// <summary>Stored before it is reported: what is reported ready is so for the next server too, whenever this one ends.</summary>
    private async Task StoreReadinessAsync(VerbMessage message, DesktopState next)
    {
        if (message.Verb == DesktopVerb.Prove && !_unclaimed)
        {
            var ready = _view with { State = next, ReadyAt = _view.ReadyAt ?? _context.Clock.GetUtcNow() };
            await _context.Store.SaveAsync(
                new StoredDesktop(ready, _policy, message.Document ?? _attestation, _ceiling),
                [],
                CancellationToken.None
            );
        }
    }

    private void Enter(DesktopState next, VerbMessage message)
    {
        var now = _context.Clock.GetUtcNow();
        var view = _view with { State = next, Reason = InStep(message.Reason) ?? _view.Reason };
        if (message.Verb == DesktopVerb.Prove)
        {
            _attestation = message.Document ?? _attestation;
            view = view with { ReadyAt = view.ReadyAt ?? now };
            Touch();
        }

        if (!DesktopTransitions.Counts(next))
        {
            view = view with { Warnings = [] };
        }

        if (next == DesktopState.Destroyed)
        {
            view = view with { EndedAt = now };
        }

        Volatile.Write(ref _view, view);
        _context.Metrics.Entered(view, isFirstReady: message.Document is not null);
        PublishState();
        if (next is DesktopState.Failed or DesktopState.Destroying)
        {
            RefuseWaiting();
            _logger.LogInformation(
                "Desktop {Desktop}: {State} ({Reason}: {Message})",
                Id,
                next.Name(),
                view.Reason?.Code,
                view.Reason?.Message
            );
            _working = TakeDownAsync(_working);
        }
        else
        {
            _logger.LogInformation("Desktop {Desktop}: {State}", Id, next.Name());
        }

        if (next == DesktopState.Destroyed)
        {
            _unsaved.Add(Events.Publish("end", new EndEvent()));
        }
    }

    /// <summary>Whoever noticed the failure of a creation may not know which step was running.</summary>
    private DesktopReason? InStep(DesktopReason? reason) =>
        reason is { Step: null } && DesktopTransitions.IsBeingCreated(_view.State)
            ? reason with
            {
                Step = _view.RunningStep ?? _view.Steps.LastOrDefault()?.Name,
            }
            : reason;

    private async Task TakeDownAsync(Task before)
    {
        await Task.Yield();
        await _work.CancelAsync();
        await before;
        await Resources.RemoveAsync(orderly: View.State == DesktopState.Destroying);
        // The keeper is gone, and so whatever was asked of it is answered.
        await _asking;
        await _inbox.Writer.WriteAsync(new VerbMessage(DesktopVerb.Remove, null, null, null));
    }

    private Task HandleTakedownAsync()
    {
        _working = TakeDownAsync(_working);
        return Task.CompletedTask;
    }

    private async Task HandleClaimAsync(ClaimMessage message)
    {
        if (!_unclaimed || !DesktopTransitions.Counts(_view.State))
        {
            message.Done.TrySetResult(false);
            return;
        }

        Volatile.Write(ref _view, message.Become(_view));
        Volatile.Write(ref _policy, message.Policy);
        Egress?.SetPolicy(message.Policy);
        _unsaved.Clear();
        Events.ForgetLife();
        _unclaimed = false;
        Touch();
        PublishState();

        try
        {
            await SaveAsync();
        }
        finally
        {
            // It is theirs even where it could not be stored: the next change is stored with this one.
            message.Done.TrySetResult(true);
        }
    }

    private async Task HandleStepAsync(StepView step)
    {
        var steps = _view.Steps.ToList();
        var at = steps.FindIndex(s => s.Name == step.Name);
        if (at < 0)
        {
            steps.Add(step);
        }
        else
        {
            steps[at] = step;
        }

        Volatile.Write(ref _view, _view with { Steps = steps });
        _unsaved.Add(Events.Publish("step", new StepEvent(step.Name, step.State, step.ElapsedMs, step.Detail)));
        if (step.State != StepState.Running)
        {
            _context.Metrics.StepEnded(step);
        }

        // Which step runs is stored whenever it is another one, so that the next server can name it; of a burst the last one. All else is
        // with the next change of state.
        var running = DesktopTransitions.IsBeingCreated(_view.State) ? _view.RunningStep : null;
        if (_unsaved.Count >= 32 || (running is not null && running != _storedStep && _inbox.Reader.Count == 0))
        {
            _storedStep = running;
            await SaveAsync();
        }
    }

    private async Task HandlePolicyAsync(PolicyMessage message)
    {
        Volatile.Write(ref _policy, message.Policy);
        await SaveAsync();
    }

    private async Task HandleSizeAsync()
    {
        Volatile.Write(ref _isSizePosted, 0);
        var size = Interlocked.Read(ref _newSize);
        var (width, height) = ((int)(size >> 32), (int)size);
        if ((width, height) == (_view.Width, _view.Height))
        {
            return;
        }

        Volatile.Write(ref _view, _view with { Width = width, Height = height });
        if (_context.Clock.GetUtcNow() >= _sizeSavedAt + SizeInterval)
        {
            await SaveSizeAsync();
        }
        else
        {
            _sizeDue = _sizeSavedAt + SizeInterval;
        }
    }

    private async Task SaveSizeAsync()
    {
        (_sizeDue, _sizeSavedAt) = (null, _context.Clock.GetUtcNow());
        await SaveAsync();
    }

    private async Task HandleWarningAsync(WarningMessage message)
    {
        var warnings = _view.Warnings.ToList();
        var was = warnings.RemoveAll(warning => warning.Code == message.Code) > 0;
        if (!DesktopTransitions.Counts(_view.State) || was == message.Text is not null)
        {
            return;
        }

        if (message.Text is { } text)
        {
            warnings.Add(new DesktopWarning(message.Code, text, _context.Clock.GetUtcNow()));
        }

        // Not stored: the next server finds out afresh what is still so.
        Volatile.Write(ref _view, _view with { Warnings = warnings });
        Events.Publish("warnings", new WarningsEvent(warnings));
    }

    private void PublishState() => _unsaved.Add(Events.Publish("state", new StateEvent(_view.State, _view.Reason)));

    private async Task SaveAsync()
    {
        if (_unclaimed)
        {
            return;
        }

        while (Events.NextSequence + SequenceBlock / 2 > _ceiling)
        {
            _ceiling += SequenceBlock;
        }

        DesktopEvent[] events = [.. _unsaved];
        await _context.Store.SaveAsync(new StoredDesktop(_view, _policy, _attestation, _ceiling), events, CancellationToken.None);
        _unsaved.RemoveRange(0, events.Length);
    }
}
