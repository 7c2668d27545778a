"""Port of a line: the transport of its driver, with the line's own settings."""

from acquisition.drivers.base import DriverSpec
from acquisition.simulate.port import SimulatedPort
from acquisition.transport.capture import captured
from acquisition.transport.network_ports import ConnectionPort, UdpPort, client_context
from acquisition.transport.ports import Port, SerialPort, TcpPort
from mapping.plan import LinePlan


def port_of(plan: LinePlan, spec: DriverSpec) -> Port:
    """The port of the line, not open yet; its frames are captured where the plan says so."""
    return captured(_port_of(plan, spec), plan)


def _port_of(plan: LinePlan, spec: DriverSpec) -> Port:
    match spec.transport:
        case "serial":
            return SerialPort(plan.settings)
        case "tcp" if spec.tagged:
            return TcpPort(plan.settings)
        case "tcp":
            return ConnectionPort(plan.settings)
        case "tls":
            return ConnectionPort(plan.settings, client_context)
        case "udp":
            return UdpPort(plan.settings)
        case "memory":
            return SimulatedPort(plan, spec)
