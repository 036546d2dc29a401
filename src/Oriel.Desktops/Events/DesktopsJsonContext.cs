using System.Text.Json.Serialization;
using Oriel.Desktops.Lifecycle;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;

namespace Oriel.Desktops.Events;

/// <summary>What the store and the event stream write.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(AttestationDocument))]
[JsonSerializable(typeof(DesktopReason))]
[JsonSerializable(typeof(EgressPolicy))]
[JsonSerializable(typeof(IReadOnlyList<StepView>))]
[JsonSerializable(typeof(StateEvent))]
[JsonSerializable(typeof(StepEvent))]
[JsonSerializable(typeof(LogEvent))]
[JsonSerializable(typeof(ViewersEvent))]
[JsonSerializable(typeof(WarningsEvent))]
[JsonSerializable(typeof(EgressEntry))]
[JsonSerializable(typeof(EndEvent))]
public sealed partial class DesktopsJsonContext : JsonSerializerContext;
