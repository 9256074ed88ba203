//! Sockets that can misbehave: a listener that stops listening and keeps its port, and connections that end on
//! command.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::Extensions;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The maximum number of connections that wait to be accepted, the same as Tokio's default.
const BACKLOG: u32 = 1024;

/// The size of the buffer in which the kernel keeps what a connection has received and the emulator has not read. It does
/// not grow: otherwise an upload of megabytes would be sent before a fault that resets it at its beginning, and its sender
/// could not tell that from a lost response.
const RECEIVE_BUFFER_BYTES: u32 = 256 * 1024;

/// The pause after a failure that the caller did not cause.
const PAUSE: Duration = Duration::from_millis(20);

/// A time longer than any emulator runs that can still be added to the current time.
const MAX_REFUSAL: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The port and its listening socket, shared between the server and the emulator's handle.
pub(crate) struct SharedListener {
    address: SocketAddr,
    runtime: Handle,
    sockets: Mutex<ListenerSockets>,
    changed: Notify,
}

#[derive(Default)]
struct ListenerSockets {
    listening: Option<TcpListener>,
    /// A socket that is bound to the same port and does not listen, so that no other program gets the port. `None` on
    /// systems where two sockets cannot share a port.
    reserved: Option<TcpSocket>,
    refused_until: Option<Instant>,
    connections: Vec<Weak<ConnectionControl>>,
    closed: bool,
}

impl SharedListener {
    /// Binds a port of 127.0.0.1, and listens unless connections are to be refused at first.
    pub(crate) fn bind(port: u16, refusal: Option<Duration>) -> io::Result<Arc<Self>> {
        let socket = bind((Ipv4Addr::LOCALHOST, port).into())?;
        let listener = Self {
            address: socket.local_addr()?,
            runtime: Handle::current(),
            sockets: Mutex::new(ListenerSockets { reserved: Some(socket), ..ListenerSockets::default() }),
            changed: Notify::new(),
        };
        match refusal {
            Some(time) => listener.refuse(time, None),
            None => listener.listen()?,
        }
        Ok(Arc::new(listener))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening for this long and closes all open connections, except the one that this is requested on.
    pub(crate) fn refuse(&self, time: Duration, except: Option<&ConnectionInfo>) {
        let until = Instant::now() + time.min(MAX_REFUSAL);
        let mut sockets = self.lock();
        sockets.refused_until = sockets.refused_until.max(Some(until));
        sockets.listening = None;
        for control in std::mem::take(&mut sockets.connections).iter().filter_map(Weak::upgrade) {
            if except.is_none_or(|except| !Arc::ptr_eq(&except.control, &control)) {
                control.end(CloseMode::Close);
            }
        }
        drop(sockets);
        self.changed.notify_one();
    }

    /// Listens again, whatever the time for which connections were to be refused.
    pub(crate) fn stop_refusing(&self) {
        let refusing = self.lock().refused_until.is_some();
        if refusing {
            self.lock().refused_until = Some(Instant::now());
            // The accept loop tries again if the port is taken.
            let _taken = self.listen();
            self.changed.notify_one();
        }
    }

    /// Listens, unless the port is already listened on. The reserved socket must be bound first: no socket can be
    /// bound to a port that is listened on.
    fn listen(&self) -> io::Result<()> {
        let _runtime = self.runtime.enter();
        let mut sockets = self.lock();
        if sockets.closed
            || sockets.listening.is_some()
            || sockets.refused_until.is_some_and(|end| Instant::now() < end)
        {
            return Ok(());
        }
        let socket = sockets.reserved.take().map_or_else(|| bind(self.address), Ok)?;
        sockets.reserved = bind(self.address).ok();
        sockets.listening = Some(socket.listen(BACKLOG)?);
        sockets.refused_until = None;
        Ok(())
    }

    fn refused_until(&self) -> Option<Instant> {
        self.lock().refused_until
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        match &self.lock().listening {
            Some(listener) => listener.poll_accept(context),
            None => Poll::Pending,
        }
    }

    /// Registers an accepted connection, unless the listener has been closed meanwhile.
    fn register(&self, stream: TcpStream) -> Option<Connection> {
        let control = Arc::new(ConnectionControl::default());
        let mut sockets = self.lock();
        sockets.listening.as_ref()?;
        sockets.connections.retain(|control| control.strong_count() > 0);
        sockets.connections.push(Arc::downgrade(&control));
        Some(Connection { stream, control })
    }

    fn close(&self) {
        *self.lock() = ListenerSockets { closed: true, ..ListenerSockets::default() };
    }

    fn lock(&self) -> MutexGuard<'_, ListenerSockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SharedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedListener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Creates a socket with an address. On Windows the option would allow an address that is listened on.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    // Connections inherit it from the socket that accepts them.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Accepts connections for the server. The port is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct FaultyListener(pub(crate) Arc<SharedListener>);

impl Drop for FaultyListener {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl FaultyListener {
    async fn accepted(&self) -> Option<(Connection, SocketAddr)> {
        let accepted = tokio::select! {
            accepted = poll_fn(|context| self.0.poll_accept(context)) => accepted,
            () = self.0.changed.notified() => return None,
        };
        match accepted {
            Ok((stream, address)) => Some((self.0.register(stream)?, address)),
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }

    async fn wait(&self, until: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = self.0.changed.notified() => return,
        }
        if let Err(error) = self.0.listen() {
            tracing::debug!(%error, "the port cannot be listened on again yet");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Listener for FaultyListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            if let Some(until) = self.0.refused_until() {
                self.wait(until).await;
            } else if let Some((connection, address)) = self.accepted().await {
                // Small pieces must be sent at once. The call fails only if the connection is gone, which does not
                // matter.
                let _gone = connection.stream.set_nodelay(true);
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.address)
    }
}

/// The way in which a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloseMode {
    /// In order, as after the last response.
    Close,
    /// With a reset, as when a process dies or a firewall drops its state.
    Reset,
}

/// A handle through which the code that handles requests can end a connection.
#[derive(Debug, Default)]
pub(crate) struct ConnectionControl(Mutex<ControlState>);

#[derive(Debug, Default)]
struct ControlState {
    end_now: Option<CloseMode>,
    end_when_flushed: Option<CloseMode>,
    waker: Option<Waker>,
}

impl ConnectionControl {
    /// Ends the connection without sending another byte.
    pub(super) fn end(&self, mode: CloseMode) {
        let waker = {
            let mut state = self.lock();
            state.end_now = Some(mode);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the connection once all bytes written so far have been sent. Must be called by the body that the
    /// connection writes.
    pub(super) fn end_when_flushed(&self, mode: CloseMode) {
        self.lock().end_when_flushed = Some(mode);
    }

    fn lock(&self) -> MutexGuard<'_, ControlState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a caller.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    control: Arc<ConnectionControl>,
}

impl Connection {
    /// Fails if the connection must end now, which makes the server drop it. Otherwise registers the waker.
    fn check(&self, context: &Context<'_>) -> io::Result<()> {
        let mut state = self.control.lock();
        if let Some(mode) = state.end_now {
            return Err(self.ended(mode));
        }
        state.waker = Some(context.waker().clone());
        Ok(())
    }

    fn ended(&self, mode: CloseMode) -> io::Error {
        if mode == CloseMode::Reset {
            // Fails only if the connection is already gone.
            let _gone = self.stream.set_zero_linger();
        }
        io::ErrorKind::ConnectionAborted.into()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// The server flushes when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        let flushed = self.control.lock().end_when_flushed;
        Poll::Ready(flushed.map_or(Ok(()), |mode| Err(self.ended(mode))))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The address of the caller, and the control of the connection that a request came on.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) address: SocketAddr,
    control: Arc<ConnectionControl>,
}

impl ConnectionInfo {
    /// Returns the connection info of a request, unless the request came without a socket.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get::<ConnectInfo<Self>>().map(|ConnectInfo(peer)| peer)
    }

    /// Returns the control of the connection of a request. Without a socket it has no effect.
    pub(super) fn connection(extensions: &Extensions) -> Arc<ConnectionControl> {
        Self::of(extensions).map(|peer| Arc::clone(&peer.control)).unwrap_or_default()
    }
}

impl Connected<IncomingStream<'_, FaultyListener>> for ConnectionInfo {
    fn connect_info(stream: IncomingStream<'_, FaultyListener>) -> Self {
        Self { address: *stream.remote_addr(), control: Arc::clone(&stream.io().control) }
    }
}
