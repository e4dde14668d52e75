# Rails and Doorkeeper in one file: a public client, code with PKCE, rotation. For tests on loopback.
ENV['RAILS_ENV'] = 'production' # before Rails is loaded
require 'logger'
require 'rails'
require 'active_record/railtie'
require 'action_controller/railtie'
require 'action_view/railtie'
require 'doorkeeper'
require 'puma'

# Doorkeeper leaves CORS to rack-cors.
class Cors
  HEADERS = { 'Access-Control-Allow-Origin' => '*', 'Access-Control-Allow-Headers' => '*' }.freeze

  def initialize(app)
    @app = app
  end

  def call(env)
    return [204, HEADERS, []] if env['REQUEST_METHOD'] == 'OPTIONS'

    status, headers, body = @app.call(env)
    [status, headers.merge(HEADERS), body]
  end
end

class App < Rails::Application
  config.root = Dir.pwd
  config.eager_load = false
  config.secret_key_base = 'a secret for tests on loopback only' * 2
  config.logger = Logger.new($stdout, level: Logger::WARN)
  config.middleware.insert_before 0, Cors
  config.paths['config/database'] = [File.join(__dir__, 'database.yml')]
end

class ApplicationController < ActionController::Base; end

class User < ActiveRecord::Base; end

# Stands for a login page.
class SessionsController < ApplicationController
  def create
    session[:user_id] = User.find_or_create_by!(name: 'alice').id
    head :ok
  end
end

Doorkeeper.configure do
  orm :active_record
  resource_owner_authenticator { User.find_by(id: session[:user_id]) || head(:unauthorized) }
  skip_authorization { true }
  access_token_expires_in ENV.fetch('ACCESS_TOKEN_SECONDS').to_i
  use_refresh_token
  grant_flows %w[authorization_code]
  default_scopes :read
  force_ssl_in_redirect_uri false
  base_controller 'ApplicationController'
end
App.initialize!
App.routes.draw do
  use_doorkeeper { skip_controllers :applications, :authorized_applications }
  get '/login', to: 'sessions#create'
end

# As Doorkeeper's generator writes them, without the column `previous_refresh_token`: a used refresh token is dead at once.
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  create_table(:users) { |t| t.string :name }
  create_table :oauth_applications do |t|
    t.string :name, null: false
    t.string :uid, null: false, index: { unique: true }
    t.string :secret, null: false
    t.text :redirect_uri
    t.string :scopes, null: false, default: ''
    t.boolean :confidential, null: false, default: true
    t.timestamps
  end
  create_table :oauth_access_grants do |t|
    t.bigint :resource_owner_id, null: false
    t.references :application, null: false
    t.string :token, null: false, index: { unique: true }
    t.integer :expires_in, null: false
    t.text :redirect_uri, null: false
    t.datetime :created_at, null: false
    t.datetime :revoked_at
    t.string :scopes, null: false, default: ''
    t.string :code_challenge
    t.string :code_challenge_method
  end
  create_table :oauth_access_tokens do |t|
    t.bigint :resource_owner_id
    t.references :application, null: false
    t.string :token, null: false, index: { unique: true }
    t.string :refresh_token, index: { unique: true }
    t.integer :expires_in
    t.datetime :revoked_at
    t.datetime :created_at, null: false
    t.string :scopes
  end
end
Doorkeeper::Application.create!(
  name: 'app', uid: 'app', secret: '', redirect_uri: ENV.fetch('REDIRECT_URI'), confidential: false
)

server = Puma::Server.new(App, Puma::Events.stdio, max_threads: 8)
server.add_tcp_listener('127.0.0.1', ENV.fetch('PORT').to_i)
server.run.join
